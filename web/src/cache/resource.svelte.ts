/**
 * One answer of the server that a page shows: first from the cache, then fresh, and fresh again when the server
 * is back. Pages read `data`, `loading` and `failed`.
 */
import { Refused } from '../api/problems';
import { reachability } from '../net/reachability.svelte';
import { readCache, writeCache } from './database';

export class Resource<T> {
  data = $state.raw<T | undefined>();
  /** True while there is nothing to show yet. */
  loading = $state(true);
  /** The server refused; a server that is away is not a failure but a state of the whole app. */
  failed = $state(false);
  #running: Promise<void> | undefined;
  #again = false;
  #watching = false;
  /** Grows at each sign-out: an answer that was asked for before it belongs to somebody else. */
  #owner = 0;

  constructor(
    readonly key: string,
    private readonly fetchIt: () => Promise<T>,
  ) {}

  /** Loads now. A call during a load makes one more load after it, so what is shown is never older than the call. */
  load(): Promise<void> {
    if (!this.#watching) {
      this.#watching = true;
      reachability.whenBack(() => void this.load());
    }
    if (this.#running) this.#again = true;
    this.#running ??= this.#loadUntilFresh().finally(() => (this.#running = undefined));
    return this.#running;
  }

  /** Shows and caches a value the app knows already, such as the answer to a change. */
  set(value: T): void {
    this.data = value;
    this.loading = false;
    void writeCache(this.key, value);
  }

  /** Back to nothing, at sign-out. */
  clear(): void {
    this.#owner += 1;
    this.data = undefined;
    this.loading = true;
    this.failed = false;
  }

  async #loadUntilFresh(): Promise<void> {
    const owner = this.#owner;
    if (this.data === undefined) {
      const cached = await readCache<T>(this.key);
      if (cached !== undefined && this.data === undefined && owner === this.#owner) {
        this.data = cached;
        this.loading = false;
      }
    }
    do {
      this.#again = false;
      try {
        const fresh = await this.fetchIt();
        if (owner !== this.#owner) return;
        this.set(fresh);
        this.failed = false;
      } catch (error) {
        if (owner !== this.#owner) return;
        this.failed = error instanceof Refused;
      }
    } while (this.#again && owner === this.#owner);
    this.loading = false;
  }
}
