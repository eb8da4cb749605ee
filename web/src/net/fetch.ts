/**
 * The one way out: every request of the app goes through `reach` (no login) or `reachSignedIn` (with a fresh
 * access token). Requests are written for the page's own origin and go to the site that serves now; when it
 * fails, what may be repeated is asked of the next one at once.
 */
import { Unreachable } from '../api/problems';
import { session } from '../session/session.svelte';
import { changeover } from './changeover.svelte';
import { reachability } from './reachability.svelte';
import { isKeyedWrite, isRepeatable } from './sites';

/** Statuses with which a site, or a proxy before it, says that it cannot serve now. */
const AWAY = new Set([502, 503, 504]);

/** An answer that has not begun after this time will not come: a phone in a tunnel tells no error. */
const PATIENCE_MS = 20_000;

/** One request, ready to be made at any site. */
interface Errand {
  request: Request;
  path: string;
  body: ArrayBuffer | undefined;
  patience: number | null;
  isRepeatable: boolean;
  isWrite: boolean;
}

/** A fetch that goes to a site that answers. `patience` of `null` leaves the waiting to the caller. */
export async function reach(
  input: RequestInfo | URL,
  init?: RequestInit,
  patience: number | null = PATIENCE_MS,
): Promise<Response> {
  const request = new Request(input, init);
  const { origin: wanted, pathname, search } = new URL(request.url);
  const isWrite = request.method !== 'GET' && request.method !== 'HEAD';
  const isKeyed = isKeyedWrite(request.method, pathname, request.headers);
  const errand = {
    request,
    path: pathname + search,
    body: isWrite ? await request.arrayBuffer() : undefined,
    patience,
    isRepeatable: isRepeatable(request.method, pathname, request.headers),
    isWrite,
  };
  const inTurn = isKeyed && changeover.writesWait;
  const first = wanted !== changeover.own ? wanted : inTurn ? changeover.inTurn() : changeover.first();
  const answer = await askAround(errand, first, !inTurn && errand.isRepeatable && wanted === changeover.own);
  if (isKeyed) changeover.writesTaken();
  reachability.answered();
  return answer;
}

/** Asks the site at `first`, and the others after it when `goesOn`. */
async function askAround(errand: Errand, first: string, goesOn: boolean): Promise<Response> {
  const tried = new Set<string>();
  const unable: string[] = [];
  let waits = errand.isWrite;
  let failure: unknown;
  for (let origin: string | undefined = first; origin; origin = goesOn ? changeover.next(tried) : undefined) {
    tried.add(origin);
    try {
      const answer = await ask(errand, origin);
      if (!AWAY.has(answer.status)) {
        changeover.answered(origin, unable);
        return answer;
      }
      failure = `status ${answer.status}`;
      unable.push(origin);
      waits &&= isOurOwnRefusal(answer);
    } catch (cause) {
      // The caller gave up: that says nothing about the server.
      if (errand.request.signal.aborted) throw cause;
      failure = cause;
    }
  }
  if (waits && unable.length) changeover.writesRefused();
  else if (!changeover.next(tried)) reachability.lost();
  throw new Unreachable(failure);
}

/** A node that cannot write now says so in JSON; whatever else answers 503 is no node of ours. */
function isOurOwnRefusal(answer: Response): boolean {
  return answer.status === 503 && (answer.headers.get('Content-Type') ?? '').includes('json');
}

/** Asks one site. A connection that breaks while the site still answers is tried once more. */
async function ask(errand: Errand, origin: string): Promise<Response> {
  for (let isSecond = false; ; isSecond = true) {
    const watch = changeover.watch(origin, errand.patience === null);
    try {
      const answer = await fetchFrom(errand, origin, watch.signal);
      changeover.heard(origin);
      return answer;
    } catch (cause) {
      if (errand.request.signal.aborted) throw cause;
      const isThere = !isSecond && changeover.several && !watch.signal.aborted;
      if (!isThere || !(await changeover.check(origin))) {
        changeover.failed(origin);
        throw cause;
      }
      if (!errand.isRepeatable) throw cause;
    } finally {
      watch.done();
    }
  }
}

async function fetchFrom(errand: Errand, origin: string, silence: AbortSignal): Promise<Response> {
  const { request, path, body, patience } = errand;
  const impatience = new AbortController();
  const timer =
    patience === null ? undefined : setTimeout(() => impatience.abort(new Error('no answer')), patience);
  try {
    return await fetch(
      new Request(origin + path, {
        method: request.method,
        headers: request.headers,
        body: body?.byteLength ? body : undefined,
        cache: request.cache,
        keepalive: request.keepalive,
        signal: AbortSignal.any([request.signal, impatience.signal, silence]),
      }),
    );
  } finally {
    clearTimeout(timer);
  }
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
