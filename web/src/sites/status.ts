/** How a site is, in one word, and what is to be said of all of them. Pure. */
import type { Incident, LiveSite } from '../api/types';

export type Status = 'well' | 'partly' | 'silent' | 'draining' | 'drained';

export function statusOf(site: LiveSite): Status {
  if (site.nodes_alive === 0) return 'silent';
  if (site.is_drained) return 'drained';
  if (site.state !== 'active') return 'draining';
  if (site.postgres === 'unreachable' || site.etcd === 'unreachable') return 'partly';
  return 'well';
}

export interface Summary {
  key: 'allWell' | 'ailing' | 'noLeader' | 'draining';
  /** The sites it is about. */
  titles: string[];
  /** The site that takes the writes. */
  leader: string;
}

export function summaryOf(sites: readonly LiveSite[]): Summary {
  const leader = sites.find((site) => site.postgres === 'leader')?.title ?? '';
  const titlesOf = (...wanted: Status[]) =>
    sites.filter((site) => wanted.includes(statusOf(site))).map((site) => site.title);
  const isCluster = sites.some((site) => site.postgres != null);
  if (isCluster && !leader) return { key: 'noLeader', titles: [], leader };
  const ailing = titlesOf('silent', 'partly');
  if (ailing.length) return { key: 'ailing', titles: ailing, leader };
  const draining = titlesOf('draining', 'drained');
  if (draining.length) return { key: 'draining', titles: draining, leader };
  return { key: 'allWell', titles: [], leader };
}

const MICROSECONDS_A_SECOND = 1_000_000;

/** How long an incident lasted, in the unit one would say it in; nothing while it lasts. */
export function lengthOf(incident: Incident): { unit: 'seconds' | 'minutes' | 'hours'; n: number } | null {
  if (incident.returned_at == null) return null;
  const seconds = Math.max(0, (incident.returned_at - incident.lost_at) / MICROSECONDS_A_SECOND);
  if (seconds < 90) return { unit: 'seconds', n: Math.round(seconds) };
  if (seconds < 90 * 60) return { unit: 'minutes', n: Math.round(seconds / 60) };
  return { unit: 'hours', n: Math.round(seconds / 3600) };
}

/** A figure of a drill's report: a number, or the 95th percentile of several rounds. */
export function figure(report: Record<string, unknown>, ...path: string[]): number | null {
  let value: unknown = report;
  for (const step of path) value = Object(value)[step] as unknown;
  if (typeof value === 'object' && value !== null) value = (value as Record<string, unknown>)['p95'];
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
