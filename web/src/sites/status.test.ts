import { describe, expect, it } from 'vitest';
import type { Incident, LiveSite } from '../api/types';
import { figure, lengthOf, statusOf, summaryOf } from './status';

const site = (title: string, change: Partial<LiveSite> = {}): LiveSite => ({
  name: title.toLowerCase(),
  title,
  url: 'https://haechi.example',
  state_since: 0,
  latitude: 37,
  longitude: 127,
  state: 'active',
  nodes_alive: 1,
  postgres: 'replica',
  lag_bytes: 0,
  etcd: 'member',
  requests_per_s: 3,
  capacity_per_s: null,
  is_drained: false,
  ...change,
});

describe('the status of a site', () => {
  it.each([
    ['well', {}],
    ['well', { postgres: null, etcd: null }],
    ['partly', { postgres: 'unreachable' }],
    ['partly', { etcd: 'unreachable' }],
    ['silent', { nodes_alive: 0 }],
    ['silent', { nodes_alive: 0, state: 'draining' }],
    ['draining', { state: 'draining' }],
    ['drained', { state: 'draining', is_drained: true }],
  ] as [string, Partial<LiveSite>][])('is %s for %j', (status, change) =>
    expect(statusOf(site('Busan', change))).toBe(status),
  );
});

describe('the summary', () => {
  const leader = site('Pangyo', { postgres: 'leader' });
  it('says that all is well', () =>
    expect(summaryOf([leader, site('Busan')])).toEqual({ key: 'allWell', titles: [], leader: 'Pangyo' }));
  it('names the sites that ail, before those that drain', () =>
    expect(
      summaryOf([leader, site('Busan', { nodes_alive: 0 }), site('Sejong', { state: 'draining' })]),
    ).toMatchObject({ key: 'ailing', titles: ['Busan'] }));
  it('says first of all that nobody takes writes', () =>
    expect(summaryOf([site('Pangyo', { nodes_alive: 0 }), site('Busan')]).key).toBe('noLeader'));
  it('expects no leader where there is no cluster', () =>
    expect(summaryOf([site('Pangyo', { postgres: null })]).key).toBe('allWell'));
});

describe('a figure of a report', () => {
  const report = {
    lost: 0,
    rejoin_s: { p50: 20, p95: 31.5 },
    write_stall_ms: { overall: 2_300, chat: null },
  };
  it.each([
    [0, ['lost']],
    [31.5, ['rejoin_s']],
    [2_300, ['write_stall_ms', 'overall']],
    [null, ['write_stall_ms', 'chat']],
    [null, ['write_stall_ms', 'pay', 'p95']],
    [null, ['nothing']],
  ] as [number | null, string[]][])('is %j at %j', (found, path) =>
    expect(figure(report, ...path)).toBe(found),
  );
});

describe('the length of an incident', () => {
  const lasting = (seconds: number | null): Incident => ({
    incident_id: '018f',
    site: 'pangyo',
    noticed_by: 'gasan',
    lost_at: 1_000_000,
    returned_at: seconds === null ? null : 1_000_000 + seconds * 1_000_000,
  });

  it.each([
    [20, { unit: 'seconds', n: 20 }],
    [89.4, { unit: 'seconds', n: 89 }],
    [600, { unit: 'minutes', n: 10 }],
    [127 * 3600, { unit: 'hours', n: 127 }],
    [-1, { unit: 'seconds', n: 0 }],
    [null, null],
  ] as const)('of %s seconds is said in its own unit', (seconds, length) => {
    expect(lengthOf(lasting(seconds))).toEqual(length);
  });
});
