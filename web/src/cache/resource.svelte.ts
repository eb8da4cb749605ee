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
    this.data = undefined;
    this.loading = true;
    this.failed = false;
  }

  async #loadUntilFresh(): Promise<void> {
    if (this.data === undefined) {
      const cached = await readCache<T>(this.key);
      if (cached !== undefined && this.data === undefined) {
        this.data = cached;
        this.loading = false;
      }
    }
    do {
      this.#again = false;
      try {
        this.set(await this.fetchIt());
        this.failed = false;
      } catch (error) {
        this.failed = error instanceof Refused;
      }
    } while (this.#again);
    this.loading = false;
  }
}
