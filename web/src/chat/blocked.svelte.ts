/** Whom the person has blocked; the same on all their devices. */
import { blockOnly } from './attention';
import { connection } from './connection.svelte';

class Blocked {
  people = $state.raw<readonly string[]>([]);

  constructor() {
    connection.whenChanged(() => this.#read());
    this.#read();
  }

  has(userId: string): boolean {
    return this.people.includes(userId);
  }

  async change(userId: string, block: boolean): Promise<void> {
    const others = this.people.filter((known) => known !== userId);
    const wanted = block ? [...others, userId] : others;
    await blockOnly(wanted);
    this.people = wanted;
  }

  #read(): void {
    const now = connection.client?.getIgnoredUsers() ?? [];
    if (now.length !== this.people.length || now.some((userId) => !this.has(userId))) this.people = now;
  }
}

export const blocked = new Blocked();
