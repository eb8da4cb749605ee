/** A chat as a file to keep: a page that any browser shows. */
import { refusalOf } from '../api/problems';
import { language } from '../i18n/i18n.svelte';
import { reachSignedIn } from '../net/fetch';

const FORBIDDEN_IN_NAMES = /[\\/:*?"<>|\p{Cc}]+/gu;

export async function downloadChat(roomId: string, name: string): Promise<void> {
  const ahead = -new Date().getTimezoneOffset();
  const query = `format=html&language=${language.current}&offset_minutes=${ahead}`;
  const path = `/api/chat/rooms/${encodeURIComponent(roomId)}/export?${query}`;
  // The whole of a long chat takes its time.
  const response = await reachSignedIn(path, undefined, null);
  if (!response.ok) throw refusalOf(response.status, await response.json().catch(() => null));
  const link = document.createElement('a');
  const url = URL.createObjectURL(await response.blob());
  link.href = url;
  link.download = fileName(name);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** `Picnic: a/b` -> `Picnic a b.html` */
export function fileName(name: string): string {
  return `${name.replace(FORBIDDEN_IN_NAMES, ' ').replace(/ +/g, ' ').trim().slice(0, 80) || 'chat'}.html`;
}
