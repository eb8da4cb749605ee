/** What waits in the outbox. Each entry carries the key under which the server takes it only once. */
import type { TransferRequest } from '../api/types';

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
}

export interface TextEntry extends Common {
  kind: 'text';
  roomId: string;
  text: string;
  eventId?: string;
}

export interface FileEntry extends Common {
  kind: 'file';
  roomId: string;
  file: Blob;
  name: string;
  /** Where the upload is kept on the server, once it is there. */
  mediaUrl?: string;
  width?: number;
  height?: number;
  eventId?: string;
}

export interface TransferEntry extends Common {
  kind: 'transfer';
  roomId: string | null;
  request: TransferRequest;
  /** Who gets it, for reading. */
  toName: string;
  eventId?: string;
}

export type OutboxEntry = TextEntry | FileEntry | TransferEntry;

/** An entry as a page writes it, before the outbox gives it its id. */
export type Draft =
  | Pick<TextEntry, 'kind' | 'roomId' | 'text'>
  | Pick<FileEntry, 'kind' | 'roomId' | 'file' | 'name' | 'width' | 'height'>
  | Pick<TransferEntry, 'kind' | 'roomId' | 'request' | 'toName'>;
