/** The typed clients of Haechi's own API. Types: `schema.gen.ts`, made from `openapi.json` by `npm run api`. */
import createClient from 'openapi-fetch';
import { reach, reachSignedIn } from '../net/fetch';
import { isPassing, refusalOf, Unreachable } from './problems';
import type { paths } from './schema.gen';

/** For what a visitor may do. */
export const openApi = createClient<paths>({ baseUrl: origin(), fetch: (request) => reach(request) });
/** For what a person who is signed in may do. */
export const api = createClient<paths>({ baseUrl: origin(), fetch: (request) => reachSignedIn(request) });

/** The origin requests are written for; `reach` sends them to the site that serves now. */
export function origin(): string {
  return globalThis.location?.origin ?? 'http://localhost';
}

interface Outcome<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Unwraps an answer of openapi-fetch: the data, or `Refused`, or `Unreachable` when trying later is right. */
export async function answer<T>(call: Promise<Outcome<T>>): Promise<T> {
  const { data, error, response } = await call;
  if (response.ok) return data as T;
  if (isPassing(response.status) && response.status !== 429)
    throw new Unreachable(`status ${response.status}`);
  throw refusalOf(response.status, error);
}
