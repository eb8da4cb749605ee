/**
 * Turns the events of a chat into the messages that are seen: edits, reactions and votes are put where they belong,
 * what was taken away is gone, and each message knows how many have not read it. Pure.
 */
import { messageOf, type Message, type RawEvent, type Reaction } from './message';
import { answersOf, counted, type Ballot } from './poll';
import { record, text } from './values';

/** Someone in the chat, and the last event they have read. */
export interface Reader {
  userId: string;
  readUpTo: string | null;
}

export interface Talk {
  /** What the server has, oldest first. */
  events: readonly RawEvent[];
  /** What still waits in the outbox, oldest first. */
  pending: readonly RawEvent[];
  /** Those who are in the chat; nobody when it is not known who has read what. */
  readers: readonly Reader[];
  me: string;
  /** People whose messages are not to be seen. */
  ignored: ReadonlySet<string>;
}

const REACTION_LENGTH_MAX = 64;

/** What other events say about a message. */
interface About {
  edit?: RawEvent;
  reactions: Map<string, Reaction>;
  ballots: Ballot[];
  endings: { sender: string; at: number }[];
}

export function conversationOf(talk: Talk): Message[] {
  const events = [...talk.events, ...talk.pending];
  const removed = new Set(talk.pending.flatMap((event) => event.redacts ?? []));
  const about = relate(events, removed, talk.me);
  const countUnread = unreadCounter(talk);
  const messages: Message[] = [];
  events.forEach((event, index) => {
    if (talk.ignored.has(event.sender) && event.state_key === undefined) return;
    if (partOf(event)) return;
    const message = messageWith(event, about.get(event.event_id), removed.has(event.event_id), talk.me);
    if (!message) return;
    if (index < talk.events.length) message.unreadBy = countUnread(index, message.sender);
    messages.push(message);
  });
  return messages;
}

/** The events that edited a message, so that they can be taken away with it. */
export function editsOf(events: readonly RawEvent[], eventId: string): string[] {
  return events
    .filter((event) => {
      const relation = partOf(event);
      return relation?.kind === 'm.replace' && relation.target === eventId && !event.redacted;
    })
    .map((event) => event.event_id);
}

/** The first message of another person after the event that was read last; empty when all is read. */
export function firstUnreadOf(events: readonly RawEvent[], readUpTo: string | null, me: string): string {
  const read = events.findIndex((event) => event.event_id === readUpTo);
  if (read < 0) return '';
  const next = events
    .slice(read + 1)
    .find(
      (event) => event.sender !== me && event.state_key === undefined && !partOf(event) && messageOf(event),
    );
  return next?.event_id ?? '';
}

function messageWith(
  event: RawEvent,
  about: About | undefined,
  isRemoved: boolean,
  me: string,
): Message | null {
  if (isRemoved) return messageOf({ ...event, redacted: true });
  const edited = newContentOf(event, about);
  const relation = event.content['m.relates_to'];
  const message = messageOf(edited ? { ...event, content: { ...edited, 'm.relates_to': relation } } : event);
  if (!message || event.redacted) return message;
  if (edited) message.edited = true;
  if (about?.reactions.size) message.reactions = [...about.reactions.values()];
  if (message.body.kind === 'poll') {
    const ends =
      about?.endings.filter((ending) => ending.sender === event.sender).map((ending) => ending.at) ?? [];
    const endedAt = ends.length ? Math.min(...ends) : null;
    message.body = { kind: 'poll', poll: counted(message.body.poll, about?.ballots ?? [], endedAt, me) };
  }
  return message;
}

function newContentOf(event: RawEvent, about: About | undefined): Record<string, unknown> | undefined {
  if (event.redacted) return undefined;
  // Only the one who wrote it can have edited it.
  if (about?.edit && about.edit.sender === event.sender) return record(about.edit.content['m.new_content']);
  return event.edit;
}

export interface Part {
  kind: string;
  target: string;
}

const RELATION_TYPES = new Set([
  'm.reaction',
  'm.poll.response',
  'org.matrix.msc3381.poll.response',
  'm.poll.end',
  'org.matrix.msc3381.poll.end',
]);

/** What an event belongs to, when it is nothing by itself: an edit, a reaction, a vote. */
export function partOf(event: RawEvent): Part | null {
  const fields = record(event.content['m.relates_to']);
  const [kind, target] = [text(fields.rel_type), text(fields.event_id)];
  if (!target) return null;
  return kind === 'm.replace' || RELATION_TYPES.has(event.type) ? { kind, target } : null;
}

function relate(events: readonly RawEvent[], removed: ReadonlySet<string>, me: string): Map<string, About> {
  const all = new Map<string, About>();
  for (const event of events) {
    const relation = partOf(event);
    if (!relation || event.redacted || removed.has(event.event_id) || event.state === 'failed') continue;
    let about = all.get(relation.target);
    if (!about) all.set(relation.target, (about = { reactions: new Map(), ballots: [], endings: [] }));
    const at = event.origin_server_ts;
    if (event.type === 'm.reaction') react(about, event, me);
    else if (relation.kind === 'm.replace') about.edit = event;
    else if (event.type.endsWith('poll.end')) about.endings.push({ sender: event.sender, at });
    else about.ballots.push({ sender: event.sender, at, answers: answersOf(event.type, event.content) });
  }
  return all;
}

function react(about: About, event: RawEvent, me: string): void {
  const key = text(record(event.content['m.relates_to']).key);
  if (!key || key.length > REACTION_LENGTH_MAX) return;
  const reaction = about.reactions.get(key) ?? { key, by: [] };
  if (!reaction.by.includes(event.sender)) reaction.by.push(event.sender);
  if (event.sender === me) reaction.mine = event.event_id;
  about.reactions.set(key, reaction);
}

/**
 * Counts who has not read the event at a place: members of that time without the sender and the person themself.
 * Each member counts for what comes after the last event they read, and after they joined.
 */
function unreadCounter(talk: Talk): (index: number, sender: string) => number {
  const places = new Map(talk.events.map((event, index) => [event.event_id, index]));
  const joined = new Map<string, number>();
  talk.events.forEach((event, index) => {
    const isJoin = event.type === 'm.room.member' && event.content.membership === 'join';
    if (isJoin && event.previous?.membership !== 'join') joined.set(event.state_key ?? '', index);
  });
  const read = new Map<string, number>();
  for (const { userId, readUpTo } of talk.readers) {
    if (userId === talk.me || talk.ignored.has(userId)) continue;
    const place = readUpTo === null ? -1 : (places.get(readUpTo) ?? -1);
    read.set(userId, Math.max(place, joined.get(userId) ?? -1));
  }
  const sorted = [...read.values()].sort((a, b) => a - b);
  return (index, sender) => {
    const senderCounted = (read.get(sender) ?? index) < index ? 1 : 0;
    return countBelow(sorted, index) - senderCounted;
  };
}

function countBelow(sorted: readonly number[], limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
