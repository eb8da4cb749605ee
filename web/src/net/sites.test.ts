import { beforeEach, describe, expect, it } from 'vitest';
import { GOOD_BEFORE_RETURN, isRepeatable, readSites, Sites, STALE_AFTER_MS, type Site } from './sites';

const origin = (name: string) => `https://${name}.haechi.example`;
const site = (name: string, state: Site['state'] = 'active'): Site => ({
  name,
  title: name,
  origin: origin(name),
  state,
});
const four = () => ['pangyo', 'gasan', 'sejong', 'busan'].map((name) => site(name));
const own = origin('pangyo');
const visit = (sites = four(), current = own, seed = 1) =>
  new Sites(own, { sites, learnedAtMs: 1, current, seed });
const without = (...names: string[]) => new Set(names.map(origin));

let sites: Sites;
beforeEach(() => (sites = visit()));

describe('the choice of a site', () => {
  it('is home while home answers', () => {
    expect(sites.origins()[0]).toBe(own);
    sites.answered(origin('busan'));
    expect(sites.origins()[0]).toBe(own);
  });

  it('goes on from site to site, and asks none twice', () => {
    const tried = new Set<string>();
    for (let at = sites.next(tried); at; at = sites.next(tried)) tried.add(at);
    expect([...tried].sort()).toEqual(
      four()
        .map((each) => each.origin)
        .sort(),
    );
  });

  it('prefers the site that answered last, and asks failed ones at the end', () => {
    sites.failed(own);
    sites.answered(origin('sejong'));
    sites.answered(origin('busan'));
    expect(sites.next(new Set())).toBe(origin('busan'));
    sites.failed(origin('busan'));
    expect(sites.next(new Set())).toBe(origin('sejong'));
    // Both failed: home before the other.
    expect(sites.origins().slice(-2)).toEqual([own, origin('busan')]);
  });

  it('takes a draining site only after all active ones', () => {
    sites.learn([site('pangyo'), site('gasan', 'draining'), site('sejong')], 1);
    sites.answered(origin('gasan'));
    expect(sites.origins()).toEqual(['pangyo', 'sejong', 'gasan'].map(origin));
    expect(sites.next(without('pangyo', 'sejong'))).toBe(origin('gasan'));
  });

  it('leaves home at once when home is drained, and comes back when it is active', () => {
    sites.learn([site('pangyo', 'draining'), site('gasan')], 1);
    expect(sites.current).toBe(origin('gasan'));
    expect(sites.onDetour).toBe(false);
    expect(sites.awaited()).toBe(undefined);
    sites.learn([site('pangyo'), site('gasan')], 1);
    expect(sites.current).toBe(own);
  });

  it('spreads the devices of a burnt site over all the others', () => {
    const firsts = new Map<string, number>();
    for (let seed = 0; seed < 300; seed += 1) {
      const device = visit(four(), own, seed * 7_919);
      device.failed(own);
      const first = device.next(new Set())!;
      firsts.set(first, (firsts.get(first) ?? 0) + 1);
    }
    expect([...firsts.keys()].sort()).toEqual(['gasan', 'busan', 'sejong'].map(origin).sort());
    for (const devices of firsts.values()) expect(devices).toBeGreaterThan(75);
  });

  it('has nowhere else to go when no sites are known', () => {
    const alone = visit([]);
    expect(alone.several).toBe(false);
    expect(alone.next(new Set([own]))).toBe(undefined);
    alone.failed(own);
    expect(alone.settle()).toBe(false);
    expect(alone.onDetour).toBe(false);
  });
});

describe('a failure', () => {
  it('moves nobody until another site answered, so that a phone in a tunnel stays where it was', () => {
    for (const each of four()) sites.failed(each.origin);
    expect(sites.settle()).toBe(false);
    expect([sites.current, sites.first(), sites.onDetour]).toEqual([own, own, false]);
    sites.answered(own);
    expect([sites.settle(), sites.current, sites.onDetour]).toEqual([false, own, false]);
  });

  it('sends the next request to another site at once', () => {
    sites.failed(own);
    expect(sites.first()).not.toBe(own);
    expect(sites.current).toBe(own);
  });

  it('of the stand-in leads home when home answers, however new its health', () => {
    sites.failed(own);
    sites.answered(origin('busan'));
    sites.settle();
    sites.failed(origin('busan'));
    sites.answered(own);
    expect([sites.settle(), sites.current]).toEqual([true, own]);
  });
});

describe('the way back', () => {
  it('is taken after home has been well for a while, and starts again at each failure', () => {
    sites.failed(own);
    sites.answered(origin('busan'));
    expect(sites.settle()).toBe(true);
    expect([sites.current, sites.onDetour, sites.awaited()]).toEqual([origin('busan'), true, own]);
    for (let good = 1; good < GOOD_BEFORE_RETURN; good += 1) sites.answered(own);
    expect(sites.settle()).toBe(false);
    sites.failed(own);
    for (let good = 1; good < GOOD_BEFORE_RETURN; good += 1) sites.answered(own);
    expect(sites.settle()).toBe(false);
    sites.answered(own);
    expect(sites.settle()).toBe(true);
    expect([sites.current, sites.onDetour]).toEqual([own, false]);
  });

  it('does not lead from one good site to another', () => {
    sites.failed(own);
    sites.answered(origin('busan'));
    sites.settle();
    sites.answered(origin('gasan'));
    expect(sites.settle()).toBe(false);
    expect(sites.current).toBe(origin('busan'));
  });

  it('goes on in the next visit where this one was', () => {
    const later = visit(four(), origin('busan'));
    expect([later.current, later.onDetour]).toEqual([origin('busan'), true]);
    for (let good = 0; good < GOOD_BEFORE_RETURN; good += 1) later.answered(own);
    later.settle();
    expect(later.current).toBe(own);
  });

  it('forgets a site that is no longer listed', () => {
    const later = visit(four(), origin('busan'));
    later.learn([site('pangyo'), site('gasan')], 1);
    expect(later.current).not.toBe(origin('busan'));
    expect(visit(four(), origin('elsewhere')).current).toBe(own);
  });
});

describe('the list of sites', () => {
  const listed = (url: unknown, state: unknown = 'active', name: unknown = 'busan') => ({
    here: null,
    sites: [{ name, title: 'Busan', url, state, latitude: 35.1, longitude: 129 }],
  });

  it('is read, and a path in the address does not matter', () => {
    const read = readSites(listed('https://busan.haechi.example/'), own);
    expect(read).toEqual([{ ...site('busan'), title: 'Busan' }]);
  });

  it.each([
    ['an address that is none', listed('busan')],
    ['a script', listed('javascript:alert(1)')],
    ['an address in the clear for a page by TLS', listed('http://busan.haechi.example')],
    ['a retired site', listed('https://busan.haechi.example', 'retired')],
    ['a site without a name', listed('https://busan.haechi.example', 'active', 7)],
    ['no site at all', { sites: [null, 3, 'x'] }],
  ])('leaves out %s', (_, body) => expect(readSites(body, own)).toEqual([]));

  it.each([[null], ['<html>'], [{ sites: {} }]])('is not %j', (body) =>
    expect(readSites(body, own)).toBe(null),
  );

  it('grows stale', () => {
    sites.learn(four(), 1_000);
    expect(sites.isStale(1_000 + STALE_AFTER_MS - 1)).toBe(false);
    expect(sites.isStale(1_000 + STALE_AFTER_MS)).toBe(true);
    // A clock that was set back must not keep an old list for ever.
    expect(sites.isStale(999)).toBe(true);
  });
});

describe('a request that may be repeated', () => {
  const plain = new Headers();
  const keyed = new Headers({ 'Idempotency-Key': 'k' });
  it.each([
    ['GET', '/api/pay/wallet', plain, true],
    ['PUT', '/_matrix/client/v3/rooms/!r/send/m.room.message/1', plain, true],
    ['POST', '/api/pay/transfers', keyed, true],
    ['POST', '/api/pay/transfers', plain, false],
    ['POST', '/api/identity/sessions/refresh', plain, true],
    ['POST', '/api/identity/codes', plain, false],
    ['DELETE', '/api/chat/friends/x', plain, false],
  ])('%s %s', (method, path, headers, repeatable) =>
    expect(isRepeatable(method, path, headers)).toBe(repeatable),
  );
});
