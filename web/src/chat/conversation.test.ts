import { describe, expect, it } from 'vitest';
import { conversationOf, editsOf, firstUnreadOf, type Talk } from './conversation';
import type { RawEvent } from './message';

const me = '@me:h';
const event = (id: string, sender: string, content: object, rest: Partial<RawEvent> = {}): RawEvent => ({
  event_id: id,
  type: 'm.room.message',
  sender,
  origin_server_ts: Number(id.slice(1)) || 0,
  content: content as Record<string, unknown>,
  ...rest,
});
const says = (id: string, sender: string, body: string) => event(id, sender, { msgtype: 'm.text', body });
const edits = (id: string, sender: string, target: string, body: string) =>
  event(id, sender, {
    msgtype: 'm.text',
    body: `* ${body}`,
    'm.new_content': { msgtype: 'm.text', body },
    'm.relates_to': { rel_type: 'm.replace', event_id: target },
  });
const reacts = (id: string, sender: string, target: string, key: string) =>
  event(
    id,
    sender,
    { 'm.relates_to': { rel_type: 'm.annotation', event_id: target, key } },
    { type: 'm.reaction' },
  );
const joins = (id: string, who: string) =>
  event(id, who, { membership: 'join' }, { type: 'm.room.member', state_key: who });
const talk = (events: RawEvent[], rest: Partial<Talk> = {}) =>
  conversationOf({ events, pending: [], readers: [], me, ignored: new Set(), ...rest });

describe('edits', () => {
  it('show the newest words under the old message', () => {
    const seen = talk([
      says('$1', '@a:h', 'one'),
      edits('$2', '@a:h', '$1', 'two'),
      edits('$3', '@a:h', '$1', 'three'),
    ]);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatchObject({ id: '$1', edited: true, body: { kind: 'text', text: 'three' } });
  });
  it('count only from the one who wrote it', () =>
    expect(talk([says('$1', '@a:h', 'one'), edits('$2', '@b:h', '$1', 'two')])[0]).toMatchObject({
      body: { text: 'one' },
    }));
  it('show at once from the outbox', () => {
    const pending = [{ ...edits('$x', me, '$1', 'mended'), state: 'waiting' as const }];
    expect(talk([says('$1', me, 'one')], { pending })[0]).toMatchObject({
      state: 'sent',
      body: { text: 'mended' },
    });
  });
  it('do not bring back what was deleted', () => {
    const gone = event('$1', '@a:h', {}, { redacted: true });
    expect(talk([gone, edits('$2', '@a:h', '$1', 'two')])[0]?.body).toEqual({ kind: 'removed' });
  });
  it('are found, to be deleted with their message', () =>
    expect(editsOf([says('$1', me, 'one'), edits('$2', me, '$1', 'two')], '$1')).toEqual(['$2']));
  it('that were deleted leave no trace', () =>
    expect(talk([event('$2', me, {}, { redacted: true, redactedEdit: true })])).toEqual([]));
});

describe('reactions', () => {
  const events = [
    says('$1', '@a:h', 'hi'),
    reacts('$2', '@b:h', '$1', '❤️'),
    reacts('$3', me, '$1', '❤️'),
    reacts('$4', '@b:h', '$1', '❤️'),
  ];
  it('are put under their message, each person once', () =>
    expect(talk(events)).toMatchObject([{ reactions: [{ key: '❤️', by: ['@b:h', me], mine: '$3' }] }]));
  it('go at once when they are taken back', () => {
    const pending = [event('$r', me, {}, { type: 'm.room.redaction', redacts: '$3', state: 'sending' })];
    expect(talk(events, { pending })[0]?.reactions).toEqual([{ key: '❤️', by: ['@b:h'] }]);
  });
});

describe('messages from the outbox', () => {
  it('come last, and deleted ones are gone at once', () => {
    const pending = [
      { ...says('x', me, 'new'), state: 'waiting' as const },
      event('$r', me, {}, { type: 'm.room.redaction', redacts: '$1', state: 'sending' }),
    ];
    expect(
      talk([says('$1', me, 'old')], { pending }).map((message) => [message.body.kind, message.state]),
    ).toEqual([
      ['removed', 'sent'],
      ['text', 'waiting'],
    ]);
  });
  it('of ignored people are not shown', () =>
    expect(talk([says('$1', '@a:h', 'hi')], { ignored: new Set(['@a:h']) })).toEqual([]));
});

describe('unread counts', () => {
  const readers = (upTo: Record<string, string | null>) =>
    Object.entries(upTo).map(([userId, readUpTo]) => ({ userId, readUpTo }));
  const counts = (events: RawEvent[], upTo: Record<string, string | null>) =>
    talk(events, { readers: readers(upTo) }).map((message) => message.unreadBy);

  it('go down as people read', () => {
    const events = [says('$1', me, 'one'), says('$2', me, 'two')];
    expect(counts(events, { [me]: null, '@a:h': null, '@b:h': '$1' })).toEqual([1, 2]);
    expect(counts(events, { [me]: null, '@a:h': '$2', '@b:h': '$2' })).toEqual([0, 0]);
  });
  it('leave out the sender', () =>
    expect(counts([says('$1', '@a:h', 'one')], { [me]: null, '@a:h': null, '@b:h': null })).toEqual([1]));
  it('leave out those who came later', () =>
    expect(
      counts([says('$1', me, 'one'), joins('$2', '@a:h'), says('$3', me, 'two')], {
        [me]: null,
        '@a:h': null,
      }),
    ).toEqual([0, 0, 1]));
});

describe('firstUnreadOf', () => {
  const events = [says('$1', '@a:h', '1'), says('$2', me, '2'), says('$3', '@a:h', '3')];
  it('finds the next message of another', () => expect(firstUnreadOf(events, '$1', me)).toBe('$3'));
  it('finds nothing when all is read, or it is not known', () => {
    expect(firstUnreadOf(events, '$3', me)).toBe('');
    expect(firstUnreadOf(events, '$unknown', me)).toBe('');
  });
});

describe('polls', () => {
  const poll = event(
    '$1',
    '@a:h',
    {
      'm.poll': {
        question: { 'm.text': [{ body: 'Q' }] },
        answers: [{ 'm.id': 'x', 'm.text': [{ body: 'X' }] }],
      },
    },
    { type: 'm.poll.start' },
  );
  const votes = event(
    '$2',
    me,
    { 'm.relates_to': { rel_type: 'm.reference', event_id: '$1' }, 'm.selections': ['x'] },
    { type: 'm.poll.response' },
  );
  const ends = (sender: string) =>
    event(
      '$3',
      sender,
      { 'm.relates_to': { rel_type: 'm.reference', event_id: '$1' } },
      { type: 'm.poll.end' },
    );
  it('count their votes', () =>
    expect(talk([poll, votes])).toMatchObject([
      { body: { poll: { mine: ['x'], voters: 1, ended: false } } },
    ]));
  it('are ended only by the one who began', () => {
    expect(talk([poll, votes, ends('@b:h')])).toMatchObject([{ body: { poll: { ended: false } } }]);
    expect(talk([poll, votes, ends('@a:h')])).toMatchObject([{ body: { poll: { ended: true } } }]);
  });
});
