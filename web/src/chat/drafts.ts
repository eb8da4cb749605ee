/** What was typed and not sent, per chat; it outlives a reload of the page, but not the window. */
const key = (roomId: string) => `draft ${roomId}`;

export function readDraft(roomId: string): string {
  return sessionStorage.getItem(key(roomId)) ?? '';
}

export function keepDraft(roomId: string, text: string): void {
  if (text.trim()) sessionStorage.setItem(key(roomId), text);
  else sessionStorage.removeItem(key(roomId));
}
