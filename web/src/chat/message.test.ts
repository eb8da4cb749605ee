import { describe, expect, it } from 'vitest';
import { messageOf, type RawEvent } from './message';

const event = (content: Record<string, unknown>, rest: Partial<RawEvent> = {}): RawEvent => ({
  event_id: '$1',
  type: 'm.room.message',
  sender: '@a:b',
  origin_server_ts: 1000,
  content,
  ...rest,
});
const body = (content: Record<string, unknown>, rest: Partial<RawEvent> = {}) =>
  messageOf(event(content, rest))?.body;

describe('messageOf', () => {
  it('reads text and turns the time into microseconds', () => {
    const message = messageOf(event({ msgtype: 'm.text', body: 'hi' }));
    expect(message).toMatchObject({ id: '$1', at: 1_000_000, body: { kind: 'text', text: 'hi' } });
  });

  it('reads a transfer', () => {
    const transfer = { transfer_id: 't', amount: 5000, currency: 'KRW', to: '@b:b', memo: 'lunch' };
    expect(body({ msgtype: 'kr.haechi.transfer', body: 'x', 'kr.haechi.transfer': transfer })).toEqual({
      kind: 'transfer',
      transfer: { transferId: 't', amount: 5000, currency: 'KRW', to: '@b:b', memo: 'lunch' },
    });
  });

  it.each([{ amount: '5000' }, { amount: 1.5 }, { amount: 1e300 }, null, 'x'])(
    'shows the fallback of a transfer that makes no sense: %j',
    (details) => {
      const content = { msgtype: 'kr.haechi.transfer', body: 'money', 'kr.haechi.transfer': details };
      expect(body(content)).toEqual({ kind: 'unknown', text: 'money' });
    },
  );

  it('reads a photo, and not one from anywhere else', () => {
    const photo = { msgtype: 'm.image', body: 'a.png', url: 'mxc://h/1', info: { w: 3, h: 2, size: 9 } };
    expect(body(photo)).toMatchObject({ kind: 'image', media: { url: 'mxc://h/1', width: 3, bytes: 9 } });
    expect(body({ ...photo, url: 'https://evil.example/x' })?.kind).toBe('unknown');
  });

  it('says when a message was deleted', () =>
    expect(body({}, { redacted: true })).toEqual({ kind: 'removed' }));

  it('tells joins, and keeps quiet on a change of name', () => {
    const member = { type: 'm.room.member', state_key: '@a:b' };
    expect(body({ membership: 'join' }, member)).toMatchObject({ change: 'joined' });
    expect(messageOf(event({ membership: 'join' }, { ...member, previous: { membership: 'join' } }))).toBe(
      null,
    );
  });

  it('bears nonsense', () => {
    expect(body({ msgtype: 7, body: {} })).toEqual({ kind: 'unknown', text: '' });
    expect(messageOf(event({}, { type: 'm.reaction' }))).toBe(null);
  });
});
