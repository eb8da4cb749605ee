/**
 * Who is signed in on this device: tokens and person, kept in localStorage and shared by all tabs. Refresh
 * tokens rotate, so only one tab refreshes at a time (a Web Lock), and the others read what it stored.
 */
import { answer, openApi } from '../api/client';
import { Refused } from '../api/problems';
import type { Person, Session } from '../api/types';

const STORAGE_KEY = 'haechi.session';
/** The device of a session that expired: its unsent messages still wait in the outbox for the next one. */
const DEVICE_KEY = 'haechi.device';
/** A token that ends within this time is refreshed before it is used. */
const FRESH_FOR_MS = 60_000;

/** Why a session ended: by the person's wish, or because the server no longer knows it. */
export type SessionEnd = 'wish' | 'expired';

class SessionState {
  current = $state.raw<Session | null>(read());
  /** Set when the app signed the person out; the sign-in page says so. */
  ended = $state<SessionEnd | null>(null);
  #listeners = new Set<(reason: SessionEnd) => void>();

  get person(): Person | null {
    return this.current?.person ?? null;
  }

  /** The person's Matrix user id; empty when nobody is signed in. */
  get userId(): string {
    return this.current?.person.user_id ?? '';
  }

  /**
   * The device of the session that expired here; undefined after any other end. A server that is told of it at the
   * sign-in knows a message that was sent then, and whose answer was lost, when it is sent again.
   */
  get expiredDevice(): string | undefined {
    return localStorage.getItem(DEVICE_KEY) || undefined;
  }

  /** Calls `listener` after the session ended, to stop and forget what belongs to the person. */
  whenEnded(listener: (reason: SessionEnd) => void): void {
    this.#listeners.add(listener);
  }

  /** Follows sign-in, refresh and sign-out in other tabs. */
  watch(): void {
    window.addEventListener('storage', (event) => {
      if (event.key !== STORAGE_KEY) return;
      const stored = read();
      if (stored) this.current = stored;
      // A device is remembered only between an expiry and the next sign-in, so it says how the other tab's ended.
      else if (this.current) this.end(this.expiredDevice ? 'expired' : 'wish');
    });
  }

  begin(started: Session): void {
    this.ended = null;
    localStorage.removeItem(DEVICE_KEY);
    this.#keep(started);
  }

  setPerson(person: Person): void {
    if (this.current) this.#keep({ ...this.current, person });
  }

  /** A token good for a request now. */
  async accessToken(): Promise<string> {
    const held = this.#held();
    if (held.expires_at / 1000 - Date.now() > FRESH_FOR_MS) return held.access_token;
    return this.#renew(held.access_token);
  }

  /** The server refused `token`: a newer one, when there is any to be had. */
  renewAfterRefusal(token: string): Promise<string> {
    return this.#renew(token);
  }

  /** Signs out on the server as far as it can be reached, and here in any case. */
  async signOut(): Promise<void> {
    try {
      const token = await this.accessToken();
      await openApi.DELETE('/api/identity/sessions/current', {
        headers: { Authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(4_000),
      });
    } catch {
      // The server is away: its side of the session ends by expiry.
    }
    this.end('wish');
  }

  end(reason: SessionEnd): void {
    if (!this.current) return;
    // Before the session goes: that is when other tabs look.
    if (reason === 'expired') localStorage.setItem(DEVICE_KEY, this.current.device_id);
    else localStorage.removeItem(DEVICE_KEY);
    this.current = null;
    this.ended = reason;
    localStorage.removeItem(STORAGE_KEY);
    for (const listener of this.#listeners) listener(reason);
  }

  #held(): Session {
    if (!this.current) throw new Refused(401, 'not-signed-in', 'Nobody is signed in');
    return this.current;
  }

  #keep(next: Session): void {
    this.current = next;
    localStorage.setItem(STORAGE_KEY, JSON.stringify(next));
  }

  async #renew(staleToken: string): Promise<string> {
    return oneTabAtATime(async () => {
      const held = read() ?? this.#held();
      if (held.access_token !== staleToken) {
        this.current = held;
        return held.access_token;
      }
      try {
        if (!held.refresh_token) throw new Refused(401, 'session-over', 'This session cannot be renewed');
        const body = { refresh_token: held.refresh_token };
        const renewed = await answer(openApi.POST('/api/identity/sessions/refresh', { body }));
        if (!this.current) throw new Refused(401, 'not-signed-in', 'Signed out meanwhile');
        this.#keep(renewed);
        return renewed.access_token;
      } catch (error) {
        if (error instanceof Refused && [400, 401, 403, 404].includes(error.status)) this.end('expired');
        throw error;
      }
    });
  }
}

/** Browsers show locks only to secure pages; elsewhere the tabs take their chance, one request at a time each. */
let tail: Promise<unknown> = Promise.resolve();
function oneTabAtATime<T>(work: () => Promise<T>): Promise<T> {
  if (globalThis.navigator?.locks) return navigator.locks.request('haechi-session', work) as Promise<T>;
  const next = tail.then(work, work);
  tail = next.catch(() => undefined);
  return next;
}

function read(): Session | null {
  try {
    return JSON.parse(localStorage.getItem(STORAGE_KEY) ?? 'null') as Session | null;
  } catch {
    return null;
  }
}

export const session = new SessionState();
