/** The person's wallet: balance and history, refreshed when money moves. */
import { answer, api } from '../api/client';
import type { Entry, Wallet } from '../api/types';
import { Resource } from '../cache/resource.svelte';
import { connection } from '../chat/connection.svelte';
import { outbox } from '../outbox/outbox.svelte';

const PAGE = 30;

interface History {
  items: Entry[];
  next: string | null;
}

export const wallet = new Resource<Wallet>('wallet', () => answer(api.GET('/api/pay/wallet')));
export const history = new Resource<History>('entries', () => entriesBefore(undefined));

async function entriesBefore(before: string | undefined): Promise<History> {
  const page = await answer(api.GET('/api/pay/entries', { params: { query: { limit: PAGE, before } } }));
  return { items: page.items, next: page.next ?? null };
}

/** Adds the next older page to the history. */
export async function loadOlder(): Promise<void> {
  const shown = history.data;
  if (!shown?.next) return;
  const older = await entriesBefore(shown.next);
  const known = new Set(shown.items.map((entry) => entry.entry_id));
  history.set({
    items: [...shown.items, ...older.items.filter((one) => !known.has(one.entry_id))],
    next: older.next,
  });
}

export function refreshWallet(): void {
  void wallet.load();
  void history.load();
}

/** Money that moves, by this person or to them, is seen without asking. */
export function watchMoney(): void {
  outbox.whenSent((entry) => {
    if (entry.kind === 'transfer') refreshWallet();
  });
  connection.whenEvent((event) => {
    if (event.getContent().msgtype === 'kr.haechi.transfer') refreshWallet();
  });
}
