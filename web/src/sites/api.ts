/** What staff sees of the sites, and the two things staff does to one. */
import { answer, api } from '../api/client';
import type { Drill, Incident, LiveSites } from '../api/types';

const INCIDENTS_SHOWN = 5;

export const liveSites = (): Promise<LiveSites> => answer(api.GET('/api/continuity/sites'));

export async function lastDrill(): Promise<Drill | null> {
  const page = await answer(api.GET('/api/continuity/drills', { params: { query: { limit: 1 } } }));
  return page.items[0] ?? null;
}

export async function lastIncidents(): Promise<Incident[]> {
  const page = await answer(
    api.GET('/api/continuity/incidents', { params: { query: { limit: INCIDENTS_SHOWN } } }),
  );
  return page.items;
}

export async function drain(name: string): Promise<void> {
  await answer(api.POST('/api/continuity/sites/{name}/drain', { params: { path: { name } } }));
}

export async function bringBack(name: string): Promise<void> {
  await answer(api.POST('/api/continuity/sites/{name}/return', { params: { path: { name } } }));
}
