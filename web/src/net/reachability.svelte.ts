/**
 * Whether any site can be reached, as seen by the requests the app makes. While none can, a small probe asks
 * again with growing pauses; everything that waits for the server subscribes with `whenBack`.
 */
import { changeover } from './changeover.svelte';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

class Reachability {
  reachable = $state(true);
  #pause = FIRST_PAUSE_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #listeners = new Set<() => void>();

  /** Calls `listener` each time the server is back. Returns a function that stops it. */
  whenBack(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A request was answered. */
  answered(): void {
    clearTimeout(this.#timer);
    this.#pause = FIRST_PAUSE_MS;
    if (this.reachable) return;
    this.reachable = true;
    for (const listener of [...this.#listeners]) listener();
  }

  /** A request was answered by no site. */
  lost(): void {
    if (this.reachable) {
      this.reachable = false;
      this.#probeLater();
    }
  }

  /** Follows the browser's own idea of being online. */
  watch(): void {
    window.addEventListener('online', () => void this.#probe());
    window.addEventListener('offline', () => this.lost());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && !this.reachable) void this.#probe();
    });
    if (!navigator.onLine) this.lost();
  }

  #probeLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#probe(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
  }

  async #probe(): Promise<void> {
    if (this.reachable) return;
    if (await changeover.findAny()) this.answered();
    else this.#probeLater();
  }
}

export const reachability = new Reachability();
