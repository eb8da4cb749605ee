/** Reads plain rows and messages out of the Matrix client's rooms. */
import type { MatrixEvent, Room } from 'matrix-js-sdk';
import { messageOf, type Body, type Message, type RawEvent } from './message';

/** Someone in a chat. */
export interface Member {
  userId: string;
  name: string;
}

/** One line of the chat list. */
export interface ChatRow {
  roomId: string;
  /** The name given to the chat; empty when it goes by its members. */
  title: string;
  /** The others, in and invited, in a steady order. */
  others: Member[];
  membership: 'join' | 'invite';
  inviter: string;
  lastBody: Body | null;
  lastSender: string;
  /** Microseconds UTC; what the list is sorted by. */
  lastAt: number;
  unread: number;
}

export function rowOf(room: Room, me: string): ChatRow | null {
  const membership = room.getMyMembership();
  if (membership !== 'join' && membership !== 'invite') return null;
  const events = room.getLiveTimeline().getEvents();
  const last = lastShown(events);
  return {
    roomId: room.roomId,
    title: titleOf(room),
    others: othersOf(room, me),
    membership,
    inviter: membership === 'invite' ? inviterOf(room, me) : '',
    lastBody: last?.body ?? null,
    lastSender: last?.sender ?? '',
    lastAt: last?.at ?? (events.at(-1)?.getTs() ?? createdAt(room)) * 1000,
    unread: membership === 'join' ? unreadOf(room, events, me) : 0,
  };
}

/** Everything the live timeline holds, oldest first, with how many have not read each message. */
export function messagesOf(room: Room, me: string): Message[] {
  const events = room.getLiveTimeline().getEvents();
  const readUpTo = readPositions(room, events);
  const messages: Message[] = [];
  events.forEach((event, index) => {
    const message = messageOf(rawOf(event));
    if (!message) return;
    message.unreadBy = unreadBy(readUpTo, message.sender, index, me);
    messages.push(message);
  });
  return messages;
}

export function membersOf(room: Room): Member[] {
  return room.getJoinedMembers().map((member) => ({ userId: member.userId, name: member.name }));
}

/** Who is writing now, without the person themself. */
export function typingIn(room: Room, me: string): string[] {
  return room
    .getJoinedMembers()
    .filter((member) => member.typing && member.userId !== me)
    .map((member) => member.name);
}

export function rawOf(event: MatrixEvent): RawEvent {
  return {
    event_id: event.getId() ?? '',
    type: event.getType(),
    sender: event.getSender() ?? '',
    origin_server_ts: event.getTs(),
    content: event.getContent(),
    state_key: event.getStateKey(),
    redacted: event.isRedacted(),
    transactionId: event.getUnsigned().transaction_id,
    previous: event.getPrevContent(),
  };
}

function lastShown(events: MatrixEvent[]): Message | null {
  for (let index = events.length - 1; index >= 0; index -= 1) {
    const message = messageOf(rawOf(events[index]!));
    if (message && message.body.kind !== 'membership') return message;
  }
  return null;
}

function titleOf(room: Room): string {
  const content = room.currentState.getStateEvents('m.room.name', '')?.getContent();
  return typeof content?.name === 'string' ? content.name.trim() : '';
}

function othersOf(room: Room, me: string): Member[] {
  return room
    .getMembers()
    .filter(
      (member) => member.userId !== me && (member.membership === 'join' || member.membership === 'invite'),
    )
    .map((member) => ({ userId: member.userId, name: member.name }))
    .sort((a, b) => (a.userId < b.userId ? -1 : 1));
}

function inviterOf(room: Room, me: string): string {
  const sender = room.getMember(me)?.events.member?.getSender();
  return (sender && room.getMember(sender)?.name) || sender || '';
}

function createdAt(room: Room): number {
  return room.currentState.getStateEvents('m.room.create', '')?.getTs() ?? Date.now();
}

/** The server's count, or our own when the receipt in the timeline says more. */
function unreadOf(room: Room, events: MatrixEvent[], me: string): number {
  const readId = room.getEventReadUpTo(me);
  const readIndex = events.findIndex((event) => event.getId() === readId);
  const own = events.slice(readIndex + 1).filter((event) => {
    return event.getType() === 'm.room.message' && event.getSender() !== me && !event.isRedacted();
  }).length;
  // Without a receipt in sight the timeline alone proves nothing: older messages may all be read.
  return readIndex < 0 ? room.getUnreadNotificationCount() || (readId ? 0 : own) : own;
}

/** For each member, up to which place in `events` they have read. */
function readPositions(room: Room, events: MatrixEvent[]): Map<string, number> {
  const places = new Map(events.map((event, index) => [event.getId(), index]));
  return new Map(
    room.getJoinedMembers().map((member) => {
      const readId = room.getEventReadUpTo(member.userId);
      return [member.userId, (readId && places.get(readId)) ?? -1] as [string, number];
    }),
  );
}

function unreadBy(readUpTo: Map<string, number>, sender: string, index: number, me: string): number {
  let unread = 0;
  for (const [member, place] of readUpTo) {
    if (member !== sender && member !== me && place < index) unread += 1;
  }
  return unread;
}
