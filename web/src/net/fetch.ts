/**
 * The one way out: every request of the app goes through `reach` (no login) or `reachSignedIn` (with a fresh
 * access token), so that losing the server is noticed in one place.
 */
import { Unreachable } from '../api/problems';
import { session } from '../session/session.svelte';
import { reachability } from './reachability.svelte';

/** Statuses with which a proxy says that no server is behind it. */
const AWAY = new Set([502, 503, 504]);

/** An answer that has not begun after this time will not come: a phone in a tunnel tells no error. */
const PATIENCE_MS = 20_000;

/** A fetch that tells `reachability` how it went. `patience` of `null` leaves the waiting to the caller. */
export async function reach(
  input: RequestInfo | URL,
  init?: RequestInit,
  patience: number | null = PATIENCE_MS,
): Promise<Response> {
  const request = new Request(input, init);
  const impatience = new AbortController();
  const timer =
    patience === null ? undefined : setTimeout(() => impatience.abort(new Error('no answer')), patience);
  let answer: Response;
  try {
    answer = await fetch(request, { signal: AbortSignal.any([request.signal, impatience.signal]) });
  } catch (cause) {
    // The caller gave up: that says nothing about the server.
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    reachability.lost();
    throw new Unreachable(cause);
  } finally {
    clearTimeout(timer);
  }
  if (AWAY.has(answer.status)) {
    reachability.lost();
    throw new Unreachable(`status ${answer.status}`);
  }
  reachability.answered();
  return answer;
}

/** A fetch with the person's access token; a refused token is refreshed once, then the person is signed out. */
export async function reachSignedIn(
  input: RequestInfo | URL,
  init?: RequestInit,
  patience?: number | null,
): Promise<Response> {
  const token = await session.accessToken();
  const request = new Request(input, init);
  const spare = request.clone();
  request.headers.set('Authorization', `Bearer ${token}`);
  const answer = await reach(request, undefined, patience);
  if (answer.status !== 401) return answer;
  spare.headers.set('Authorization', `Bearer ${await session.renewAfterRefusal(token)}`);
  const second = await reach(spare, undefined, patience);
  if (second.status === 401) session.end('expired');
  return second;
}
