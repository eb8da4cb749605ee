/** The small lines in the middle of a chat. */
import { t } from '../i18n/i18n.svelte';
import type { Message } from './message';

export function noticeText(message: Message, nameOf: (userId: string) => string): string {
  const { body } = message;
  if (body.kind === 'secret') return t('secret.notice');
  if (body.kind === 'named') return t('chat.named', { name: nameOf(message.sender), title: body.title });
  if (body.kind !== 'membership') return '';
  const name = nameOf(body.who);
  switch (body.change) {
    case 'joined':
      return t('chat.joined', { name });
    case 'left':
      return t('chat.left', { name });
    case 'invited':
      return t('chat.invitedPerson', { name });
  }
}
