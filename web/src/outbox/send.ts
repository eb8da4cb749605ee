/** Hands one outbox entry to the server. Returns the chat event it became, when it became one. */
import { answer, api } from '../api/client';
import { isPassing, refusalOf, Unreachable } from '../api/problems';
import { reachSignedIn } from '../net/fetch';
import { upload } from './upload';
import type { FileEntry, OutboxEntry, TextEntry, TransferEntry } from './entry';

export interface Sent {
  eventId: string | null;
}

export interface SendHooks {
  /** Keeps a half-way result (an upload that is done), so that a retry goes on from there. */
  keep(entry: OutboxEntry): Promise<void>;
  /** Upload progress, 0 to 1. */
  progress(id: string, share: number): void;
}

export async function send(entry: OutboxEntry, hooks: SendHooks): Promise<Sent> {
  switch (entry.kind) {
    case 'text':
      return sendEvent(entry, { msgtype: 'm.text', body: entry.text });
    case 'file':
      return sendFile(entry, hooks);
    case 'transfer':
      return sendTransfer(entry);
  }
}

async function sendFile(entry: FileEntry, hooks: SendHooks): Promise<Sent> {
  let { mediaUrl } = entry;
  if (!mediaUrl) {
    mediaUrl = await upload(entry.file, entry.name, (share) => hooks.progress(entry.id, share));
    await hooks.keep({ ...entry, mediaUrl });
  }
  const image = entry.file.type.startsWith('image/');
  return sendEvent(entry, {
    msgtype: image ? 'm.image' : 'm.file',
    body: entry.name,
    filename: entry.name,
    url: mediaUrl,
    info: {
      mimetype: entry.file.type || 'application/octet-stream',
      size: entry.file.size,
      ...(entry.width && entry.height ? { w: entry.width, h: entry.height } : {}),
    },
  });
}

async function sendTransfer(entry: TransferEntry): Promise<Sent> {
  const transfer = await answer(
    api.POST('/api/pay/transfers', {
      params: { header: { 'Idempotency-Key': entry.id } },
      body: entry.request,
    }),
  );
  return { eventId: transfer.event_id ?? null };
}

/** `PUT /rooms/{room}/send/m.room.message/{transaction id}`: the same id is the same message. */
async function sendEvent(entry: TextEntry | FileEntry, content: object): Promise<Sent> {
  const room = encodeURIComponent(entry.roomId);
  const path = `/_matrix/client/v3/rooms/${room}/send/m.room.message/${encodeURIComponent(entry.id)}`;
  const response = await reachSignedIn(path, {
    method: 'PUT',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(content),
  });
  if (isPassing(response.status)) throw new Unreachable(`status ${response.status}`);
  const body: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusalOf(response.status, body);
  return { eventId: (body as { event_id: string }).event_id };
}
