import { describe, expect, it } from 'vitest';
import { foundIn, searchLoaded } from './search';

const answer = (...events: object[]) => ({
  search_categories: {
    room_events: { count: 7, next_batch: 'n', results: events.map((result) => ({ rank: 1, result })) },
  },
});
const event = {
  event_id: '$1',
  room_id: '!r',
  type: 'm.room.message',
  sender: '@a:h',
  origin_server_ts: 5,
  content: { msgtype: 'm.text', body: 'lunch at noon' },
};

describe('foundIn', () => {
  it('reads what the server found', () =>
    expect(foundIn(answer(event))).toEqual({
      count: 7,
      next: 'n',
      hits: [{ roomId: '!r', eventId: '$1', sender: '@a:h', at: 5_000, words: 'lunch at noon' }],
    }));
  it('leads from an edit to its message', () => {
    const content = {
      msgtype: 'm.text',
      body: '* dinner',
      'm.new_content': { msgtype: 'm.text', body: 'dinner' },
      'm.relates_to': { rel_type: 'm.replace', event_id: '$0' },
    };
    expect(foundIn(answer({ ...event, content })).hits).toMatchObject([{ eventId: '$0', words: 'dinner' }]);
  });
  it.each([null, {}, { search_categories: 7 }, answer({}, { type: 'm.reaction', event_id: '$2' })])(
    'bears %j',
    (value) => expect(foundIn(value).hits).toEqual([]),
  );
});

it('searchLoaded finds the newest first, whatever the case', () => {
  const message = (id: string, text: string) => ({
    id,
    sender: '@a:h',
    at: 1,
    state: 'sent' as const,
    unreadBy: 0,
    body: { kind: 'text' as const, text },
  });
  const hits = searchLoaded(
    [message('1', '점심 Noon'), message('2', 'x'), message('3', 'noon')],
    'NOON',
    '!r',
  );
  expect(hits.map((hit) => hit.eventId)).toEqual(['3', '1']);
});
