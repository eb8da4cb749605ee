/** Reads plain rows out of the Matrix client's rooms, for the chat list. */
import type { MatrixClient, MatrixEvent, Room } from 'matrix-js-sdk';
import { partOf } from './conversation';
import { rawOf } from './events';
import { messageOf, type Body, type Message } from './message';
import { list, record, text } from './values';

/** Someone in a chat. */
export interface Member {
  userId: string;
  name: string;
  /** `mxc://` address of their photo. */
  photo?: string;
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
  /** `mxc://` address of the chat's own photo. */
  photo?: string;
  /** Kept at the top of the list. */
  pinned?: boolean;
  /** Does not call for attention. */
  muted?: boolean;
  /** End-to-end encrypted. */
  secret?: boolean;
  /** Anybody may come in. */
  open?: boolean;
  /** Of those in it and invited, without the person. More than `others` holds in a very large chat. */
  size?: number;
}

/** A list of chats names at most these; a chat of thousands goes by its name. */
const OTHERS_MAX = 200;

export function rowOf(client: MatrixClient, room: Room, me: string): ChatRow | null {
  const membership = room.getMyMembership();
  if (membership !== 'join' && membership !== 'invite') return null;
  const events = room.getLiveTimeline().getEvents();
  const ignored = new Set(client.getIgnoredUsers());
  const secret = isSecret(room);
  const last = lastShown(events, ignored);
  const others = othersOf(room, me);
  return {
    roomId: room.roomId,
    title: titleOf(room),
    others: others.slice(0, OTHERS_MAX),
    size: others.length,
    membership,
    inviter: membership === 'invite' ? inviterOf(room, me) : '',
    lastBody: last?.body ?? null,
    lastSender: last?.sender ?? '',
    lastAt: last?.at ?? (events.at(-1)?.getTs() ?? createdAt(room)) * 1000,
    unread: membership === 'join' ? unreadOf(room, events, me, ignored) : 0,
    photo: photoOf(room),
    pinned: 'm.favourite' in room.tags,
    muted: isMuted(client, room.roomId),
    secret,
    open: room.getJoinRule() === 'public',
  };
}

export function membersOf(room: Room): Member[] {
  return room.getJoinedMembers().map(memberOf);
}

/** Who is writing now, without the person themself. */
export function typingIn(room: Room, me: string): string[] {
  return room
    .getJoinedMembers()
    .filter((member) => member.typing && member.userId !== me)
    .map((member) => member.name);
}

export function isSecret(room: Room): boolean {
  return room.hasEncryptionStateEvent();
}

/** The events put up at the top of the chat, the newest last. */
export function announcedIn(room: Room): string[] {
  const content = room.currentState.getStateEvents('m.room.pinned_events', '')?.getContent();
  return list(content?.pinned).map(text).filter(Boolean);
}

/** Whether the person may set this kind of state. */
export function maySet(room: Room, type: string, me: string): boolean {
  return room.currentState.maySendStateEvent(type, me);
}

/** A rule of the room's own that does nothing keeps it quiet; older clients wrote that down as `dont_notify`. */
export function isMuted(client: MatrixClient, roomId: string): boolean {
  const rule = client.pushRules?.global?.room?.find((one) => one.rule_id === roomId);
  if (!rule?.enabled) return false;
  return !rule.actions.some((action) => action === 'notify');
}

function memberOf(member: ReturnType<Room['getJoinedMembers']>[number]): Member {
  const photo = member.getMxcAvatarUrl();
  return { userId: member.userId, name: member.name, ...(photo ? { photo } : {}) };
}

function lastShown(events: MatrixEvent[], ignored: ReadonlySet<string>): Message | null {
  for (let index = events.length - 1; index >= 0; index -= 1) {
    const event = events[index]!;
    const raw = rawOf(event);
    if (partOf(raw) || ignored.has(raw.sender)) continue;
    // The library has put the newest edit in its place.
    const message = messageOf(event.replacingEvent() ? { ...raw, content: event.getContent() } : raw);
    if (message && message.body.kind !== 'membership' && message.body.kind !== 'secret') return message;
  }
  return null;
}

function titleOf(room: Room): string {
  const content = room.currentState.getStateEvents('m.room.name', '')?.getContent();
  return text(content?.name).trim();
}

function photoOf(room: Room): string | undefined {
  const content = room.currentState.getStateEvents('m.room.avatar', '')?.getContent();
  return text(record(content).url) || undefined;
}

function othersOf(room: Room, me: string): Member[] {
  return room
    .getMembers()
    .filter(
      (member) => member.userId !== me && (member.membership === 'join' || member.membership === 'invite'),
    )
    .map(memberOf)
    .sort((a, b) => (a.userId < b.userId ? -1 : 1));
}

function inviterOf(room: Room, me: string): string {
  const sender = room.getMember(me)?.events.member?.getSender();
  return (sender && room.getMember(sender)?.name) || sender || '';
}

function createdAt(room: Room): number {
  return room.currentState.getStateEvents('m.room.create', '')?.getTs() ?? Date.now();
}

const COUNTED = new Set([
  'm.room.message',
  'm.room.encrypted',
  'm.sticker',
  'm.poll.start',
  'org.matrix.msc3381.poll.start',
]);

/** The server's count, or our own when the receipt in the timeline says more. */
function unreadOf(room: Room, events: MatrixEvent[], me: string, ignored: ReadonlySet<string>): number {
  const readId = room.getEventReadUpTo(me);
  const readIndex = events.findIndex((event) => event.getId() === readId);
  const own = events.slice(readIndex + 1).filter((event) => {
    const sender = event.getSender() ?? '';
    if (!COUNTED.has(event.getType()) || sender === me || ignored.has(sender) || event.isRedacted())
      return false;
    return !partOf(rawOf(event));
  }).length;
  // Without a receipt in sight the timeline alone proves nothing: older messages may all be read.
  return readIndex < 0 ? room.getUnreadNotificationCount() || (readId ? 0 : own) : own;
}
