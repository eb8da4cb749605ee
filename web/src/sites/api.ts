/** What staff sees of the sites, and the two things staff does to one. */
import { isPassing, refusalOf, Unreachable } from '../api/problems';
import { reachSignedIn } from '../net/fetch';

/** A site as it is at this moment. */
export interface LiveSite {
  name: string;
  title: string;
  latitude: number;
  longitude: number;
  state: 'active' | 'draining' | 'retired';
  nodes_alive: number;
  postgres: 'leader' | 'replica' | 'unreachable' | null;
  lag_bytes: number | null;
  etcd: 'leader' | 'member' | 'learner' | 'unreachable' | null;
  requests_per_s: number | null;
  capacity_per_s: number | null;
  is_drained: boolean;
}

export interface LiveSites {
  here: string | null;
  sites: LiveSite[];
  engine_error: string | null;
}

export interface Drill {
  drill_id: string;
  filed_at: number;
  fault: string;
  site: string | null;
  lost: number;
  duplicated: number;
  report: Record<string, unknown>;
}

async function ask<T>(method: string, path: string): Promise<T> {
  const response = await reachSignedIn(`/api/continuity${path}`, { method });
  if (isPassing(response.status) && response.status !== 429)
    throw new Unreachable(`status ${response.status}`);
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusalOf(response.status, answer);
  return answer as T;
}

export const liveSites = () => ask<LiveSites>('GET', '/sites');
export const lastDrill = async () =>
  (await ask<{ items: Drill[] }>('GET', '/drills?limit=1')).items[0] ?? null;
export const drain = (name: string) => ask('POST', `/sites/${encodeURIComponent(name)}/drain`);
export const bringBack = (name: string) => ask('POST', `/sites/${encodeURIComponent(name)}/return`);
