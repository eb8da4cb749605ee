/** The Matrix events that outbox entries become: what is sent, and what is shown until it is there. Pure. */
import type { FileKey, RawEvent } from '../chat/message';
import type { FileEntry, OutboxEntry, TextEntry } from './entry';

const WAVEFORM_TOP = 1024;

export function textContent(entry: TextEntry): Record<string, unknown> {
  const { replyTo } = entry;
  return {
    msgtype: 'm.text',
    body: entry.text,
    ...(replyTo && {
      'm.relates_to': { 'm.in_reply_to': { event_id: replyTo.eventId } },
      'm.mentions': { user_ids: [replyTo.sender] },
    }),
  };
}

/** New words for a message, with the marked copy that clients show which know no edits. */
export function editContent(eventId: string, words: string): Record<string, unknown> {
  return {
    msgtype: 'm.text',
    body: `* ${words}`,
    'm.new_content': { msgtype: 'm.text', body: words },
    'm.relates_to': { rel_type: 'm.replace', event_id: eventId },
  };
}

export function reactionContent(eventId: string, key: string): Record<string, unknown> {
  return { 'm.relates_to': { rel_type: 'm.annotation', event_id: eventId, key } };
}

export function fileContent(entry: FileEntry, url: string): Record<string, unknown> {
  const type = entry.file.type || 'application/octet-stream';
  const info = {
    mimetype: type,
    size: entry.file.size,
    ...(entry.width && entry.height ? { w: entry.width, h: entry.height } : {}),
    ...(entry.durationMs === undefined ? {} : { duration: entry.durationMs }),
  };
  return {
    msgtype: messageType(entry),
    body: entry.name,
    filename: entry.name,
    ...(entry.key ? { file: sealedFile(entry.key, url) } : { url }),
    info,
    ...(entry.album ? { 'org.haechi.album': entry.album } : {}),
    ...(entry.waveform ? voice(entry.waveform, entry.durationMs ?? 0) : {}),
  };
}

/** What a chat shows of an entry while it is on its way. */
export function eventOf(entry: OutboxEntry, state: 'sending' | 'waiting' | 'failed'): RawEvent {
  const event: RawEvent = {
    event_id: entry.id,
    transactionId: entry.id,
    sender: entry.owner,
    origin_server_ts: entry.createdAt / 1000,
    type: 'm.room.message',
    content: {},
    state,
  };
  switch (entry.kind) {
    case 'text':
      return { ...event, content: textContent(entry) };
    case 'file':
      return { ...event, content: fileContent({ ...entry, key: undefined }, `outbox:${entry.id}`) };
    case 'event':
      return { ...event, type: entry.type, content: entry.content };
    case 'redaction':
      return { ...event, type: 'm.room.redaction', redacts: entry.target };
    case 'transfer': {
      const { amount, to, memo } = entry.request;
      const transfer = {
        transfer_id: '',
        amount: amount.amount,
        currency: amount.currency,
        to,
        memo: memo ?? '',
      };
      return {
        ...event,
        content: { msgtype: 'kr.haechi.transfer', body: '', 'kr.haechi.transfer': transfer },
      };
    }
  }
}

/** Whether an entry is seen as a message of its own, with its own way to try again. */
export function isMessage(entry: OutboxEntry): boolean {
  if (entry.kind === 'redaction') return false;
  if (entry.kind !== 'event') return true;
  return !/^m\.reaction$|poll\.(response|end)$/.test(entry.type) && !('m.new_content' in entry.content);
}

function messageType(entry: FileEntry): string {
  if (entry.waveform) return 'm.audio';
  if (entry.file.type.startsWith('image/')) return 'm.image';
  if (entry.file.type.startsWith('video/')) return 'm.video';
  return 'm.file';
}

function sealedFile(key: FileKey, url: string): Record<string, unknown> {
  return {
    url,
    v: 'v2',
    key: { kty: 'oct', alg: 'A256CTR', ext: true, key_ops: ['encrypt', 'decrypt'], k: key.key },
    iv: key.iv,
    hashes: { sha256: key.hash },
  };
}

function voice(waveform: number[], durationMs: number): Record<string, unknown> {
  const heights = waveform.map((height) => Math.round(height * WAVEFORM_TOP));
  return {
    'org.matrix.msc1767.audio': { duration: durationMs, waveform: heights },
    'org.matrix.msc3245.voice': {},
  };
}
