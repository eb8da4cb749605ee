/** The devices this person is signed in on. */
import { answer, api } from '../api/client';
import type { Device } from '../api/types';
import { Resource } from '../cache/resource.svelte';

export const devices = new Resource<Device[]>('devices', async () => {
  const page = await answer(api.GET('/api/identity/sessions', { params: { query: { limit: 100 } } }));
  return page.items;
});

export async function signOutDevice(sessionId: string): Promise<void> {
  const params = { path: { session_id: sessionId } };
  await answer(api.DELETE('/api/identity/sessions/{session_id}', { params }));
  devices.set((devices.data ?? []).filter((device) => device.session_id !== sessionId));
}
