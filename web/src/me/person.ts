/** The person as the server knows them now: a name from another device, or a role that was granted since. */
import { answer, api } from '../api/client';
import { session } from '../session/session.svelte';

export async function refreshPerson(): Promise<void> {
  const person = await answer(api.GET('/api/identity/me')).catch(() => null);
  if (person) session.setPerson(person);
}
