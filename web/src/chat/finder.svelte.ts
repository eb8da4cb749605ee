/** A search that follows what is typed: asks after a pause, shows only the answer to the newest words, goes on by pages. */
import type { Found, Hit } from './search';

const ASK_AFTER_MS = 300;
/** One syllable of Hangul says as much as a few letters. */
const SHORTEST = 1;

type Look = (words: string, next?: string) => Promise<Found>;

export class Finder {
  words = $state('');
  hits = $state.raw<Hit[]>([]);
  busy = $state(false);
  failed = $state(false);
  /** The hits are those of the words that stand there now. */
  settled = $state(false);
  next = $state<string | undefined>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor(private readonly look: Look) {}

  type(words: string): void {
    this.words = words;
    this.settled = false;
    clearTimeout(this.#timer);
    this.#asked += 1;
    if (words.trim().length < SHORTEST) {
      this.hits = [];
      this.busy = false;
      return;
    }
    this.busy = true;
    this.#timer = setTimeout(() => void this.#search(), ASK_AFTER_MS);
  }

  again(): void {
    this.type(this.words);
  }

  more(): void {
    if (this.next && !this.busy) void this.#search(this.next);
  }

  async #search(next?: string): Promise<void> {
    const asked = ++this.#asked;
    this.busy = true;
    try {
      const found = await this.look(this.words.trim(), next);
      if (asked !== this.#asked) return;
      this.hits = next ? [...this.hits, ...found.hits] : found.hits;
      this.next = found.next;
      this.failed = false;
    } catch {
      if (asked === this.#asked) this.failed = true;
    }
    if (asked !== this.#asked) return;
    this.busy = false;
    this.settled = true;
  }
}
