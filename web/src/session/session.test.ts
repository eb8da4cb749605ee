import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Session } from '../api/types';

const kept = new Map<string, string>();
vi.stubGlobal('localStorage', {
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => void kept.set(key, value),
  removeItem: (key: string) => void kept.delete(key),
});
const fetching = vi.fn<(input: Request) => Promise<Response>>();
vi.stubGlobal('fetch', fetching);

const { session } = await import('./session.svelte');
const { reachSignedIn } = await import('../net/fetch');

const person = {
  person_id: 'p',
  user_id: '@p:h',
  phone: '+8210',
  display_name: 'P',
  role: 'person',
  created_at: 0,
};
const made = (number: number, livesMs: number): Session => ({
  access_token: `access-${number}`,
  refresh_token: `refresh-${number}`,
  expires_at: (Date.now() + livesMs) * 1000,
  device_id: 'D',
  session_id: 'S',
  person: person as Session['person'],
});
const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/json' } });

beforeEach(() => {
  kept.clear();
  fetching.mockReset();
});

describe('session', () => {
  it('uses a fresh token as it is', async () => {
    session.begin(made(1, 3_600_000));
    expect(await session.accessToken()).toBe('access-1');
    expect(fetching).not.toHaveBeenCalled();
  });

  it('refreshes once for many requests, and keeps the new tokens', async () => {
    session.begin(made(1, 1_000));
    fetching.mockImplementation(async () => json(made(2, 3_600_000)));
    const tokens = await Promise.all([1, 2, 3].map(() => session.accessToken()));
    expect(tokens).toEqual(['access-2', 'access-2', 'access-2']);
    expect(fetching).toHaveBeenCalledTimes(1);
    expect(JSON.parse(kept.get('haechi.session')!).refresh_token).toBe('refresh-2');
  });

  it('keeps the person signed in while the server is away', async () => {
    session.begin(made(1, 1_000));
    fetching.mockRejectedValue(new TypeError('failed'));
    await expect(session.accessToken()).rejects.toThrow();
    expect(session.current?.refresh_token).toBe('refresh-1');
  });

  it('ends calmly when the server no longer knows it', async () => {
    session.begin(made(1, 1_000));
    fetching.mockImplementation(async () => json({ type: '/problems/token-not-valid' }, 401));
    await expect(session.accessToken()).rejects.toThrow();
    expect(session.current).toBe(null);
    expect(session.ended).toBe('expired');
    expect(kept.has('haechi.session')).toBe(false);
  });

  it('remembers the device of a session that expired until the next one begins', () => {
    session.begin(made(1, 3_600_000));
    expect(session.expiredDevice).toBe(undefined);
    session.end('expired');
    expect(kept.get('haechi.device')).toBe('D');
    expect(session.expiredDevice).toBe('D');
    session.begin(made(2, 3_600_000));
    expect(kept.has('haechi.device')).toBe(false);
  });

  it('forgets the device of a session that ends by wish', () => {
    session.begin(made(1, 3_600_000));
    kept.set('haechi.device', 'D');
    session.end('wish');
    expect(kept.size).toBe(0);
  });

  it('ends as it ended in another tab', () => {
    const heard: ((event: { key: string }) => void)[] = [];
    vi.stubGlobal('window', {
      addEventListener: (_: string, listener: (event: { key: string }) => void) => heard.push(listener),
    });
    session.watch();
    for (const [device, reason] of [
      ['D', 'expired'],
      [null, 'wish'],
    ] as const) {
      session.begin(made(1, 3_600_000));
      if (device) kept.set('haechi.device', device);
      kept.delete('haechi.session');
      for (const hear of heard) hear({ key: 'haechi.session' });
      expect(session.ended).toBe(reason);
      expect(session.expiredDevice).toBe(device ?? undefined);
    }
  });

  it('renews after a refusal and repeats the request with its body', async () => {
    session.begin(made(1, 3_600_000));
    const bodies: string[] = [];
    fetching.mockImplementation(async (request) => {
      if (request.url.endsWith('/refresh')) return json(made(2, 3_600_000));
      bodies.push(await request.text());
      return request.headers.get('Authorization') === 'Bearer access-2' ? json({}) : json({}, 401);
    });
    const answer = await reachSignedIn('http://h/x', { method: 'POST', body: 'once' });
    expect(answer.status).toBe(200);
    expect(bodies).toEqual(['once', 'once']);
  });
});
