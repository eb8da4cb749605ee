/** Hands one outbox entry to the server. Returns the chat event it became, when it became one. */
import { answer, api } from '../api/client';
import { isPassing, Refused, refusalOf, Unreachable } from '../api/problems';
import { mustSeal, seal } from '../chat/secret/seal';
import { sealFile } from '../chat/secret/attachment';
import { reachSignedIn } from '../net/fetch';
import { fileContent, textContent } from './content';
import type { FileEntry, OutboxEntry, RedactionEntry, TransferEntry } from './entry';
import { upload } from './upload';

export interface Sent {
  eventId: string | null;
}

export interface SendHooks {
  /** Keeps a half-way result (an upload that is done), so that a retry goes on from there. */
  keep(entry: OutboxEntry): Promise<void>;
  /** Upload progress, 0 to 1. */
  progress(id: string, share: number): void;
  /** The event an entry became; the id itself when it is one already. */
  eventIdOf(id: string): string | undefined;
}

type ChatEntry = Exclude<OutboxEntry, TransferEntry>;

export async function send(entry: OutboxEntry, hooks: SendHooks): Promise<Sent> {
  switch (entry.kind) {
    case 'text':
      return sendEvent(entry, 'm.room.message', textContent(entry));
    case 'file':
      return sendFile(entry, hooks);
    case 'event':
      return sendEvent(entry, entry.type, entry.content);
    case 'redaction':
      return sendRedaction(entry, hooks);
    case 'transfer':
      return sendTransfer(entry);
  }
}

async function sendFile(entry: FileEntry, hooks: SendHooks): Promise<Sent> {
  let kept = entry;
  if (!kept.mediaUrl) {
    const sealed = mustSeal(entry) ? await sealFile(entry.file) : null;
    // Of a sealed file the server learns neither name nor kind.
    const [file, name] = sealed ? [sealed.file, ''] : [entry.file, entry.name];
    const mediaUrl = await upload(file, name, (share) => hooks.progress(entry.id, share));
    kept = { ...entry, mediaUrl, ...(sealed ? { key: sealed.key } : {}) };
    await hooks.keep(kept);
  }
  return sendEvent(kept, 'm.room.message', fileContent(kept, kept.mediaUrl ?? ''));
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

/** `PUT /rooms/{room}/send/{type}/{transaction id}`: the same id is the same event. */
async function sendEvent(entry: ChatEntry, type: string, content: Record<string, unknown>): Promise<Sent> {
  const event = mustSeal(entry) ? await seal(entry.roomId, type, content) : { type, content };
  return put(entry, `send/${encodeURIComponent(event.type)}`, event.content);
}

async function sendRedaction(entry: RedactionEntry, hooks: SendHooks): Promise<Sent> {
  const target = hooks.eventIdOf(entry.target);
  // What never became an event is not there to be taken away.
  if (!target) throw new Refused(404, 'M_NOT_FOUND', 'The event to redact is not known');
  return put(entry, `redact/${encodeURIComponent(target)}`, entry.reason ? { reason: entry.reason } : {});
}

async function put(entry: ChatEntry, what: string, content: object): Promise<Sent> {
  const room = encodeURIComponent(entry.roomId);
  const path = `/_matrix/client/v3/rooms/${room}/${what}/${encodeURIComponent(entry.id)}`;
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
