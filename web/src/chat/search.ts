/** Search by the server, in one chat or in all. */
import { bodyText } from './content';
import { partOf } from './conversation';
import { matrix } from './matrix';
import { messageOf, type Message, type RawEvent } from './message';
import { wordsOf } from './highlight';
import { list, number, record, text } from './values';

export interface Hit {
  roomId: string;
  /** What to jump to: for an edit, the message it edits. */
  eventId: string;
  sender: string;
  /** Microseconds UTC. */
  at: number;
  words: string;
}

export interface Found {
  hits: Hit[];
  count: number;
  next?: string;
}

export async function searchMessages(words: string, roomId?: string, next?: string): Promise<Found> {
  const criteria = {
    search_term: words,
    keys: ['content.body'],
    order_by: 'recent',
    filter: { limit: 30, ...(roomId ? { rooms: [roomId] } : {}) },
  };
  const path = `/search${next ? `?next_batch=${encodeURIComponent(next)}` : ''}`;
  const answer = await matrix<unknown>('POST', path, { search_categories: { room_events: criteria } });
  return foundIn(answer);
}

/** Reads the server's answer. */
export function foundIn(answer: unknown): Found {
  const found = record(record(record(answer).search_categories).room_events);
  const hits = list(found.results).flatMap((result) => hitOf(record(result).result) ?? []);
  return { hits, count: number(found.count) ?? hits.length, next: text(found.next_batch) || undefined };
}

/** Finds words in what is loaded: the server cannot read secret chats. Newest first. */
export function searchLoaded(messages: readonly Message[], words: string, roomId: string): Hit[] {
  const wanted = wordsOf(words);
  return messages
    .flatMap(({ id, sender, at, body }) => {
      const said =
        body.kind === 'text'
          ? body.text
          : body.kind === 'file' || body.kind === 'image'
            ? body.media.name
            : '';
      const lower = said.toLocaleLowerCase();
      return said && wanted.every((word) => lower.includes(word))
        ? [{ roomId, eventId: id, sender, at, words: said }]
        : [];
    })
    .reverse();
}

function hitOf(value: unknown): Hit | null {
  const fields = record(value);
  const event: RawEvent = {
    event_id: text(fields.event_id),
    type: text(fields.type),
    sender: text(fields.sender),
    origin_server_ts: number(fields.origin_server_ts) ?? 0,
    content: record(fields.content),
  };
  const part = partOf(event);
  const content = part?.kind === 'm.replace' ? record(event.content['m.new_content']) : event.content;
  if (!event.event_id || !messageOf({ ...event, content })) return null;
  return {
    roomId: text(fields.room_id),
    eventId: part?.target ?? event.event_id,
    sender: event.sender,
    at: event.origin_server_ts * 1000,
    words: bodyText(content),
  };
}
