/** What a chat shows, made from Matrix events. Pure, so that it can be tested and cached. */

/** The fields of a Matrix room event that the app reads. */
export interface RawEvent {
  event_id: string;
  type: string;
  sender: string;
  origin_server_ts: number;
  content: Record<string, unknown>;
  state_key?: string;
  redacted?: boolean;
  transactionId?: string;
  previous?: Record<string, unknown>;
}

export interface Media {
  url: string;
  name: string;
  type: string;
  bytes: number;
  width?: number;
  height?: number;
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
  | { kind: 'image'; media: Media }
  | { kind: 'file'; media: Media }
  | { kind: 'transfer'; transfer: TransferDetails }
  | { kind: 'removed' }
  | { kind: 'encrypted' }
  | { kind: 'unknown'; text: string }
  | { kind: 'membership'; change: 'joined' | 'left' | 'invited'; who: string }
  | { kind: 'named'; title: string };

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
}

/** Lines about the chat itself, shown small and in the middle. */
export function isNotice(body: Body): boolean {
  return body.kind === 'membership' || body.kind === 'named';
}

/** The message an event is shown as; `null` for events that are not shown. */
export function messageOf(event: RawEvent): Message | null {
  const body = bodyOf(event);
  if (!body) return null;
  return {
    id: event.event_id,
    sender: event.sender,
    at: event.origin_server_ts * 1000,
    body,
    state: 'sent',
    transactionId: event.transactionId,
    unreadBy: 0,
  };
}

function bodyOf(event: RawEvent): Body | null {
  switch (event.type) {
    case 'm.room.message':
    case 'm.sticker':
      return event.redacted ? { kind: 'removed' } : contentOf(event.content);
    case 'm.room.encrypted':
      return event.redacted ? { kind: 'removed' } : { kind: 'encrypted' };
    case 'm.room.member':
      return membershipOf(event);
    case 'm.room.name': {
      const title = text(event.content.name);
      return title ? { kind: 'named', title } : null;
    }
    default:
      return null;
  }
}

function contentOf(content: Record<string, unknown>): Body {
  const body = text(content.body);
  switch (content.msgtype) {
    case 'm.text':
    case 'm.notice':
      return { kind: 'text', text: body };
    case 'm.emote':
      return { kind: 'text', text: `* ${body}` };
    case 'm.image':
    case 'm.file':
    case 'm.video':
    case 'm.audio': {
      const media = mediaOf(content);
      if (!media) break;
      return { kind: content.msgtype === 'm.image' ? 'image' : 'file', media };
    }
    case 'kr.haechi.transfer': {
      const transfer = transferOf(content['kr.haechi.transfer']);
      if (transfer) return { kind: 'transfer', transfer };
    }
  }
  return { kind: 'unknown', text: body };
}

function mediaOf(content: Record<string, unknown>): Media | null {
  const url = text(content.url);
  if (!/^mxc:\/\/[^/]+\/[^/]+$/.test(url)) return null;
  const info = record(content.info);
  return {
    url,
    name: text(content.filename) || text(content.body) || 'file',
    type: text(info.mimetype) || 'application/octet-stream',
    bytes: number(info.size) ?? 0,
    width: number(info.w),
    height: number(info.h),
  };
}

function transferOf(value: unknown): TransferDetails | null {
  const fields = record(value);
  const amount = number(fields.amount);
  const [currency, to] = [text(fields.currency), text(fields.to)];
  if (amount === undefined || !Number.isSafeInteger(amount) || !/^[A-Z]{3}$/.test(currency) || !to)
    return null;
  return { transferId: text(fields.transfer_id), amount, currency, to, memo: text(fields.memo) };
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

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
