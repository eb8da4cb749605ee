/**
 * The one way out: every request of the app goes through `reach` (no login) or `reachSignedIn` (with a fresh
 * access token), so that losing the server is noticed in one place.
 */
import { Unreachable } from '../api/problems';
import { session } from '../session/session.svelte';
import { reachability } from './reachability.svelte';

/** Statuses with which a proxy says that no server is behind it. */
const AWAY = new Set([502, 503, 504]);

/** A fetch that tells `reachability` how it went. */
export async function reach(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(input, init);
  } catch (cause) {
    // The caller gave up: that says nothing about the server.
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    reachability.lost();
    throw new Unreachable(cause);
  }
  if (AWAY.has(answer.status)) {
    reachability.lost();
    throw new Unreachable(`status ${answer.status}`);
  }
  reachability.answered();
  return answer;
}

/** A fetch with the person's access token; a refused token is refreshed once, then the person is signed out. */
export async function reachSignedIn(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const token = await session.accessToken();
  const request = new Request(input, init);
  const spare = request.clone();
  request.headers.set('Authorization', `Bearer ${token}`);
  const answer = await reach(request);
  if (answer.status !== 401) return answer;
  spare.headers.set('Authorization', `Bearer ${await session.renewAfterRefusal(token)}`);
  const second = await reach(spare);
  if (second.status === 401) session.end('expired');
  return second;
}
