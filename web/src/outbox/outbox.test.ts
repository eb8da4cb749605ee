import 'fake-indexeddb/auto';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Refused, Unreachable } from '../api/problems';
import { database } from '../cache/database';
import { Outbox } from './outbox.svelte';
import { send } from './send';

vi.mock('./send', () => ({ send: vi.fn() }));
vi.mock('../session/session.svelte', () => ({ session: { userId: '@me:here', current: {} } }));

const sending = vi.mocked(send);
const text = (words: string) => ({ kind: 'text' as const, roomId: '!r', text: words });
const stored = async () => (await database()).getAll('outbox');

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  sending.mockReset();
  await (await database()).clear('outbox');
});

describe('outbox', () => {
  it('keeps an entry before it sends it', async () => {
    let kept = 0;
    sending.mockImplementation(async () => {
      kept = (await stored()).length;
      return { eventId: '$1' };
    });
    const outbox = new Outbox();
    const { id } = await outbox.add(text('hi'));
    await vi.waitFor(() => expect(outbox.find(id)?.state).toBe('sent'));
    expect(kept).toBe(1);
    await outbox.discard(id);
    expect(await stored()).toEqual([]);
  });

  it('tries again with the same key, and in order', async () => {
    const seen: string[] = [];
    sending.mockImplementation(async (entry) => {
      seen.push(entry.id);
      if (seen.length < 3) throw new Unreachable();
      return { eventId: `$${seen.length}` };
    });
    const outbox = new Outbox();
    const first = await outbox.add(text('one'));
    const second = await outbox.add(text('two'));
    await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0));
    await vi.advanceTimersByTimeAsync(10_000);
    await vi.waitFor(() => expect(outbox.find(second.id)?.state).toBe('sent'));
    expect(new Set(seen.slice(0, -1))).toEqual(new Set([first.id]));
    expect(seen.at(-1)).toBe(second.id);
  });

  it('goes on after a closed page with what was not answered', async () => {
    sending.mockRejectedValue(new Unreachable());
    const { id } = await new Outbox().add(text('later'));
    await vi.waitFor(() => expect(sending).toHaveBeenCalled());
    sending.mockReset();
    sending.mockResolvedValue({ eventId: '$1' });
    const next = new Outbox();
    await next.restore();
    await vi.waitFor(() => expect(sending).toHaveBeenCalledTimes(1));
    expect(sending.mock.calls[0]![0].id).toBe(id);
  });

  it('says what was refused and goes on with the rest', async () => {
    sending.mockRejectedValueOnce(new Refused(403, 'M_FORBIDDEN', 'no')).mockResolvedValue({ eventId: '$2' });
    const outbox = new Outbox();
    const refused = await outbox.add(text('no'));
    const fine = await outbox.add(text('yes'));
    await vi.waitFor(() => expect(outbox.find(fine.id)?.state).toBe('sent'));
    expect(outbox.find(refused.id)).toMatchObject({ state: 'failed', problem: 'M_FORBIDDEN' });
  });

  it('leaves alone what another person wrote on this device', async () => {
    const foreign = {
      ...text('secret'),
      id: 'x',
      owner: '@other:here',
      createdAt: 1,
      state: 'waiting',
      tried: false,
    };
    await (await database()).put('outbox', foreign as never);
    const outbox = new Outbox();
    await outbox.restore();
    expect(outbox.entries).toEqual([]);
    expect(sending).not.toHaveBeenCalled();
  });

  it('sends money once even when it is asked to hurry', async () => {
    sending.mockResolvedValue({ eventId: null });
    const outbox = new Outbox();
    const request = { to: '@b:here', amount: { amount: 5000, currency: 'KRW' } };
    const { id } = await outbox.add({ kind: 'transfer', roomId: null, request, toName: 'B' });
    outbox.flush();
    outbox.flush();
    await vi.waitFor(() => expect(outbox.find(id)).toBeUndefined());
    expect(sending).toHaveBeenCalledTimes(1);
  });
});
