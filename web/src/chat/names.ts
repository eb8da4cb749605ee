/** How chats and their last messages are called in a list. */
import { money } from '../i18n/format';
import { t } from '../i18n/i18n.svelte';
import type { Body } from './message';
import type { ChatRow } from './rooms';

const NAMES_SHOWN = 4;

export function chatName(row: ChatRow): string {
  if (row.title) return row.title;
  if (!row.others.length) return t('chats.emptyRoom');
  const names = row.others.slice(0, NAMES_SHOWN).map((member) => member.name);
  return names.join(', ') + (row.others.length > NAMES_SHOWN ? ' …' : '');
}

/** One line about a message, seen by `me`. */
export function preview(body: Body | null, me: string, sender: string): string {
  switch (body?.kind) {
    case undefined:
      return t('chats.noMessages');
    case 'text':
      return body.text;
    case 'unknown':
      return body.text || t('chat.unknown');
    case 'image':
      return t('chats.photo');
    case 'video':
      return t('chats.video');
    case 'voice':
      return t('chat.voiceNote');
    case 'card':
      return body.card.title || body.card.text;
    case 'poll':
      return t('chats.poll', { question: body.poll.question });
    case 'call':
      return t(body.video ? 'call.video' : 'call.voice');
    case 'file':
      return t('chats.file', { name: body.media.name });
    case 'transfer': {
      const amount = money({ amount: body.transfer.amount, currency: body.transfer.currency });
      if (sender === me) return t('chats.sentMoney', { amount });
      return t(body.transfer.to === me ? 'chats.gotMoney' : 'chats.money', { amount });
    }
    case 'removed':
      return t('chats.removed');
    case 'encrypted':
      return t('chat.encrypted');
    case 'named':
      return body.title;
    case 'membership':
    case 'secret':
      return '';
  }
}
