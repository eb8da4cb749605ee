/** Reads plain events out of the Matrix client's timelines. */
import type { Direction, EventTimeline, MatrixEvent, Room } from 'matrix-js-sdk';
import type { Reader } from './conversation';
import type { RawEvent } from './message';
import { record, text } from './values';

export const BACK = 'b' as Direction;
export const FORTH = 'f' as Direction;

/** In a larger chat nobody asks who of all has read a message, and counting would cost on each change. */
const READERS_MAX = 500;
/** The reason with which the edits of a deleted message are deleted, so that nothing is shown in their place. */
export const EDIT_OF_DELETED = 'm.replace';

export function rawOf(event: MatrixEvent): RawEvent {
  const unsigned = event.getUnsigned();
  const isSealed =
    event.isEncrypted() && (event.isDecryptionFailure() || event.getType() === 'm.room.encrypted');
  const content = isSealed ? {} : event.getOriginalContent();
  // An encrypted event says in the open what it belongs to.
  const relation = event.getWireContent()['m.relates_to'];
  const because = record(unsigned.redacted_because);
  const edit = record(record(unsigned['m.relations'])['m.replace']);
  const newContent = record(record(edit.content)['m.new_content']);
  return {
    event_id: event.getId() ?? '',
    type: isSealed ? 'm.room.encrypted' : event.getType(),
    sender: event.getSender() ?? '',
    origin_server_ts: event.getTs(),
    content: relation && !content['m.relates_to'] ? { ...content, 'm.relates_to': relation } : content,
    state_key: event.getStateKey(),
    redacted: event.isRedacted() || undefined,
    redactedEdit: text(record(because.content).reason) === EDIT_OF_DELETED || undefined,
    transactionId: unsigned.transaction_id,
    previous: event.isState() ? event.getPrevContent() : undefined,
    edit: Object.keys(newContent).length ? newContent : undefined,
    secret: event.isEncrypted() || undefined,
  };
}

/** The timeline and those that touch it, oldest first: what was loaded around a message may have met the newest ones. */
export function chainOf(timeline: EventTimeline): EventTimeline[] {
  const chain = [timeline];
  for (let next = timeline.getNeighbouringTimeline(BACK); next; next = next.getNeighbouringTimeline(BACK)) {
    chain.unshift(next);
  }
  for (let next = timeline.getNeighbouringTimeline(FORTH); next; next = next.getNeighbouringTimeline(FORTH)) {
    chain.push(next);
  }
  return chain;
}

/** Those who are in the chat, with what they have read; nobody for a chat that is too large to ask. */
export function readersOf(room: Room): Reader[] {
  const members = room.getJoinedMembers();
  if (members.length > READERS_MAX) return [];
  return members.map((member) => ({ userId: member.userId, readUpTo: room.getEventReadUpTo(member.userId) }));
}
