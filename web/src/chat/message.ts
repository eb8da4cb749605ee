/** What a chat shows, made from Matrix events. Pure, so that it can be tested and cached. */
import type { Card } from './card';
import { contentOf } from './content';
import { pollOf, type Poll } from './poll';
import { record, text } from './values';

/** The fields of a Matrix room event that the app reads. */
export interface RawEvent {
  event_id: string;
  type: string;
  sender: string;
  /** Milliseconds UTC. */
  origin_server_ts: number;
  content: Record<string, unknown>;
  state_key?: string;
  redacted?: boolean;
  /** Taken away together with the message it edited: nothing to show in its place. */
  redactedEdit?: boolean;
  transactionId?: string;
  previous?: Record<string, unknown>;
  /** The newest edit, when the server sent it along with the event. */
  edit?: Record<string, unknown>;
  /** Came encrypted. */
  secret?: boolean;
  /** Set for what still waits in the outbox. */
  state?: 'sending' | 'waiting' | 'failed';
  /** What a redaction in the outbox takes away. */
  redacts?: string;
}

/** The key of a file that was encrypted before it was uploaded (Matrix's `EncryptedFile`). */
export interface FileKey {
  key: string;
  iv: string;
  hash: string;
}

export interface Media {
  url: string;
  name: string;
  type: string;
  bytes: number;
  width?: number;
  height?: number;
  durationMs?: number;
  key?: FileKey;
}

export interface TransferDetails {
  transferId: string;
  amount: number;
  currency: string;
  to: string;
  memo: string;
}

export type Body =
  | { kind: 'text'; text: string }
  | { kind: 'image'; media: Media; album?: string }
  | { kind: 'video'; media: Media }
  | { kind: 'voice'; media: Media; waveform: number[] }
  | { kind: 'file'; media: Media }
  | { kind: 'transfer'; transfer: TransferDetails }
  | { kind: 'card'; card: Card }
  | { kind: 'poll'; poll: Poll }
  | { kind: 'call'; video: boolean }
  | { kind: 'removed' }
  | { kind: 'encrypted' }
  | { kind: 'unknown'; text: string }
  | { kind: 'membership'; change: 'joined' | 'left' | 'invited'; who: string }
  | { kind: 'secret' }
  | { kind: 'named'; title: string };

/** One sign, and who put it under a message. */
export interface Reaction {
  key: string;
  /** In the order in which they came. */
  by: string[];
  /** The person's own reaction event, to take it back; its outbox id while it is on its way. */
  mine?: string;
}

export interface Message {
  id: string;
  sender: string;
  /** Microseconds UTC. */
  at: number;
  body: Body;
  /** `sent` is on the server; the others come from the outbox. */
  state: 'sent' | 'sending' | 'waiting' | 'failed';
  transactionId?: string;
  /** How many members have not read it yet. */
  unreadBy: number;
  edited?: boolean;
  /** The message this one answers. */
  replyTo?: string;
  reactions?: Reaction[];
}

/** Lines about the chat itself, shown small and in the middle. */
export function isNotice(body: Body): boolean {
  return body.kind === 'membership' || body.kind === 'named' || body.kind === 'secret';
}

/** The message an event is shown as; `null` for events that are not shown. */
export function messageOf(event: RawEvent): Message | null {
  const body = bodyOf(event);
  if (!body) return null;
  const replyTo = event.redacted ? '' : replyOf(event.content);
  return {
    id: event.event_id,
    sender: event.sender,
    at: event.origin_server_ts * 1000,
    body,
    state: event.state ?? 'sent',
    transactionId: event.transactionId,
    unreadBy: 0,
    ...(replyTo ? { replyTo } : {}),
  };
}

/** The event a message answers; empty when it answers none. */
export function replyOf(content: Record<string, unknown>): string {
  return text(record(record(content['m.relates_to'])['m.in_reply_to']).event_id);
}

function bodyOf(event: RawEvent): Body | null {
  switch (event.type) {
    case 'm.room.message':
    case 'm.sticker':
      if (event.redactedEdit) return null;
      return event.redacted ? { kind: 'removed' } : contentOf(event.content);
    case 'm.poll.start':
    case 'org.matrix.msc3381.poll.start': {
      if (event.redacted) return { kind: 'removed' };
      const poll = pollOf(event.type, event.content);
      return poll ? { kind: 'poll', poll } : { kind: 'unknown', text: '' };
    }
    case 'm.room.encrypted':
      if (event.redactedEdit) return null;
      return event.redacted ? { kind: 'removed' } : { kind: 'encrypted' };
    case 'm.call.invite':
      return event.redacted ? null : { kind: 'call', video: isVideoCall(event.content) };
    case 'm.room.member':
      return membershipOf(event);
    case 'm.room.encryption':
      return { kind: 'secret' };
    case 'm.room.name': {
      const title = text(event.content.name);
      return title ? { kind: 'named', title } : null;
    }
    default:
      return null;
  }
}

/** A call with pictures offers a picture in its session description. */
function isVideoCall(content: Record<string, unknown>): boolean {
  return text(record(content.offer).sdp).includes('m=video');
}

function membershipOf(event: RawEvent): Body | null {
  const who = event.state_key ?? '';
  const [now, before] = [event.content.membership, event.previous?.membership];
  if (now === before) return null;
  if (now === 'join') return { kind: 'membership', change: 'joined', who };
  if (now === 'invite') return { kind: 'membership', change: 'invited', who };
  if ((now === 'leave' || now === 'ban') && before !== 'invite') {
    return { kind: 'membership', change: 'left', who };
  }
  return null;
}
