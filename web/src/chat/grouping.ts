/** Puts messages into what the eye sees: days, notices, and bubbles of one sender in one minute. */
import { isNotice, type Message } from './message';

export type Block =
  | { kind: 'day'; key: string; at: number }
  | { kind: 'notice'; key: string; message: Message }
  | { kind: 'unread'; key: string }
  | { kind: 'group'; key: string; sender: string; messages: Message[] };

const MINUTE_US = 60_000_000;

/**
 * `dayKey` says on which local day a time falls; `group`: a chat of several tells who comes and goes; `firstUnread` is
 * the message before which the person had read everything.
 */
export function blocksOf(
  messages: readonly Message[],
  dayKey: (at: number) => string,
  group: boolean,
  firstUnread = '',
): Block[] {
  const blocks: Block[] = [];
  let day = '';
  for (const message of messages) {
    if (!group && message.body.kind === 'membership') continue;
    const today = dayKey(message.at);
    if (today !== day) {
      day = today;
      blocks.push({ kind: 'day', key: `day ${today} ${blocks.length}`, at: message.at });
    }
    if (firstUnread && message.id === firstUnread) blocks.push({ kind: 'unread', key: 'unread' });
    if (isNotice(message.body)) {
      blocks.push({ kind: 'notice', key: message.id, message });
      continue;
    }
    const last = blocks.at(-1);
    if (last?.kind === 'group' && belongs(last.messages, message)) last.messages.push(message);
    else blocks.push({ kind: 'group', key: keyOf(message), sender: message.sender, messages: [message] });
  }
  return blocks;
}

/** Photos that were sent together are seen together: the messages of a group, with those of one album in one list. */
export function albumsOf(messages: readonly Message[]): Message[][] {
  const bundles: Message[][] = [];
  for (const message of messages) {
    const album = albumOf(message);
    const last = bundles.at(-1);
    if (album && last && albumOf(last[0]!) === album) last.push(message);
    else bundles.push([message]);
  }
  return bundles;
}

/** One key for a message from the outbox and for the event it becomes, so that its bubble stays in place. */
export function keyOf(message: Message): string {
  return message.transactionId ?? message.id;
}

/** A photo that failed stands alone, so that it can say so. */
function albumOf(message: Message): string {
  return (message.body.kind === 'image' && message.state !== 'failed' && message.body.album) || '';
}

function belongs(group: Message[], message: Message): boolean {
  const last = group.at(-1);
  if (!last || last.sender !== message.sender) return false;
  return Math.floor(last.at / MINUTE_US) === Math.floor(message.at / MINUTE_US);
}
