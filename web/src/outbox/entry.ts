/** What waits in the outbox. Each entry carries the key under which the server takes it only once. */
import type { TransferRequest } from '../api/types';
import type { FileKey } from '../chat/message';

interface Common {
  /** Matrix transaction id or Idempotency-Key: the same on every try. */
  id: string;
  /** Who wrote it: another person who signs in on this device does not send it. */
  owner: string;
  /** When it was written, microseconds UTC. */
  createdAt: number;
  /** `waiting` goes out by itself, `sent` waits for its echo in the chat, `failed` was refused by the server. */
  state: 'waiting' | 'sent' | 'failed';
  /** Whether it was ever handed to the network, so that its outcome may be unknown. */
  tried: boolean;
  /** Why it was refused: the slug of the problem. */
  problem?: string;
  /** Goes into an end-to-end encrypted chat: it leaves the device sealed, or not at all. */
  secret?: boolean;
  eventId?: string;
}

export interface TextEntry extends Common {
  kind: 'text';
  roomId: string;
  text: string;
  /** The message this one answers, and who wrote that. */
  replyTo?: { eventId: string; sender: string };
}

export interface FileEntry extends Common {
  kind: 'file';
  roomId: string;
  file: Blob;
  name: string;
  /** Where the upload is kept on the server, once it is there. */
  mediaUrl?: string;
  /** With what it was sealed before it went up. */
  key?: FileKey;
  width?: number;
  height?: number;
  durationMs?: number;
  /** A recording of the person's voice: its shape, heights from 0 to 1. */
  waveform?: number[];
  /** Photos that were chosen together. */
  album?: string;
}

/** Any other Matrix event: a reaction, an edit, a poll, a vote, a forwarded message. */
export interface EventEntry extends Common {
  kind: 'event';
  roomId: string;
  type: string;
  content: Record<string, unknown>;
}

/** Takes an event away for all. */
export interface RedactionEntry extends Common {
  kind: 'redaction';
  roomId: string;
  /** An event id, or the id of an outbox entry that becomes one. */
  target: string;
  reason?: string;
}

export interface TransferEntry extends Common {
  kind: 'transfer';
  roomId: string | null;
  request: TransferRequest;
  /** Who gets it, for reading. */
  toName: string;
}

export type OutboxEntry = TextEntry | FileEntry | EventEntry | RedactionEntry | TransferEntry;

/** An entry as a page writes it, before the outbox gives it its id. */
export type Draft =
  | Pick<TextEntry, 'kind' | 'roomId' | 'text' | 'replyTo'>
  | Pick<
      FileEntry,
      'kind' | 'roomId' | 'file' | 'name' | 'width' | 'height' | 'durationMs' | 'waveform' | 'album'
    >
  | Pick<EventEntry, 'kind' | 'roomId' | 'type' | 'content'>
  | Pick<RedactionEntry, 'kind' | 'roomId' | 'target' | 'reason'>
  | Pick<TransferEntry, 'kind' | 'roomId' | 'request' | 'toName'>;
