/** What is inside an `m.room.message`, by its kind. Whatever makes no sense is shown by its fallback text. */
import { cardOf } from './card';
import type { Body, FileKey, Media, TransferDetails } from './message';
import { list, number, record, text } from './values';

/** The fallback of a reply repeats what it answers: lines that begin with `> `, then an empty one. */
const QUOTED_FALLBACK = /^(> .*\n)+\n/;
const WAVEFORM_BARS_MAX = 120;
const WAVEFORM_TOP = 1024;

export function contentOf(content: Record<string, unknown>): Body {
  const body = bodyText(content);
  const card = cardOf(content['org.haechi.card']);
  if (card) return { kind: 'card', card };
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
      if (media) return mediaBody(content, media);
      break;
    }
    case 'kr.haechi.transfer': {
      const transfer = transferOf(content['kr.haechi.transfer']);
      if (transfer) return { kind: 'transfer', transfer };
    }
  }
  return { kind: 'unknown', text: body };
}

/** The text of a message, without the quotation that older clients put before an answer. */
export function bodyText(content: Record<string, unknown>): string {
  const body = text(content.body);
  const answers = record(content['m.relates_to'])['m.in_reply_to'] !== undefined;
  return answers ? body.replace(QUOTED_FALLBACK, '') : body;
}

function mediaBody(content: Record<string, unknown>, media: Media): Body {
  if (content.msgtype === 'm.image') {
    const album = text(content['org.haechi.album']);
    return { kind: 'image', media, ...(album ? { album } : {}) };
  }
  if (content.msgtype === 'm.video') return { kind: 'video', media };
  const isVoice = 'org.matrix.msc3245.voice' in content || 'm.voice' in content;
  if (content.msgtype === 'm.audio' && isVoice)
    return { kind: 'voice', media, waveform: waveformOf(content) };
  return { kind: 'file', media };
}

function audioDetails(content: Record<string, unknown>): Record<string, unknown> {
  return record(content['org.matrix.msc1767.audio'] ?? content['m.audio_details']);
}

/** Heights from 0 to 1. */
function waveformOf(content: Record<string, unknown>): number[] {
  return list(audioDetails(content).waveform)
    .slice(0, WAVEFORM_BARS_MAX)
    .map((value) => Math.min(1, Math.max(0, (number(value) ?? 0) / WAVEFORM_TOP)));
}

function mediaOf(content: Record<string, unknown>): Media | null {
  const file = record(content.file);
  const url = text(content.url) || text(file.url);
  if (!/^(mxc:\/\/[^/]+\/[^/]+|outbox:[\w-]+)$/.test(url)) return null;
  const key = text(content.url) ? undefined : fileKeyOf(file);
  if (!text(content.url) && !key) return null;
  const info = record(content.info);
  return {
    url,
    name: text(content.filename) || text(content.body) || 'file',
    type: text(info.mimetype) || 'application/octet-stream',
    bytes: number(info.size) ?? 0,
    width: number(info.w),
    height: number(info.h),
    durationMs: number(info.duration) ?? number(audioDetails(content).duration),
    ...(key ? { key } : {}),
  };
}

function fileKeyOf(file: Record<string, unknown>): FileKey | undefined {
  const [key, iv, hash] = [text(record(file.key).k), text(file.iv), text(record(file.hashes).sha256)];
  return key && iv && hash ? { key, iv, hash } : undefined;
}

function transferOf(value: unknown): TransferDetails | null {
  const fields = record(value);
  const amount = number(fields.amount);
  const [currency, to] = [text(fields.currency), text(fields.to)];
  if (amount === undefined || !Number.isSafeInteger(amount) || !/^[A-Z]{3}$/.test(currency) || !to)
    return null;
  return { transferId: text(fields.transfer_id), amount, currency, to, memo: text(fields.memo) };
}
