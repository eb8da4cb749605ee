/** The person's friends. One-sided: adding someone asks nothing of them. */
import { answer, api } from '../api/client';
import type { Friend } from '../api/types';
import { Resource } from '../cache/resource.svelte';
import { locale } from '../i18n/format';

const PAGE = 100;

async function fetchAll(): Promise<Friend[]> {
  const all: Friend[] = [];
  let before: string | undefined;
  do {
    const page = await answer(api.GET('/api/chat/friends', { params: { query: { limit: PAGE, before } } }));
    all.push(...page.items);
    before = page.next ?? undefined;
  } while (before);
  return all;
}

export const friends = new Resource<Friend[]>('friends', fetchAll);

export function inOrder(list: readonly Friend[]): Friend[] {
  const collator = new Intl.Collator(locale());
  return [...list].sort((a, b) => collator.compare(a.display_name, b.display_name));
}

/** By phone number, or by user id for somebody met in a chat. */
export async function addFriend(who: { phone: string } | { user_id: string }): Promise<Friend> {
  const friend = await answer(api.POST('/api/chat/friends', { body: who }));
  const others = (friends.data ?? []).filter((known) => known.user_id !== friend.user_id);
  friends.set([...others, friend]);
  return friend;
}

export async function removeFriend(userId: string): Promise<void> {
  await answer(api.DELETE('/api/chat/friends/{user_id}', { params: { path: { user_id: userId } } }));
  friends.set((friends.data ?? []).filter((known) => known.user_id !== userId));
}
