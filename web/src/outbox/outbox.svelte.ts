/**
 * What the person sent and the server has not answered yet. Entries are kept in IndexedDB before they go out,
 * leave in the order they were written (per chat), and carry a key that makes a second try the same act.
 */
import { Refused } from '../api/problems';
import { database } from '../cache/database';
import { reachability } from '../net/reachability.svelte';
import { session } from '../session/session.svelte';
import { isMessage } from './content';
import type { Draft, OutboxEntry } from './entry';
import { send, type Sent } from './send';

const RETRY_MS = 3_000;

type Listener = (entry: OutboxEntry, sent: Sent) => void;
type RefusedListener = (entry: OutboxEntry, problem: Refused) => void;

export class Outbox {
  entries = $state.raw<OutboxEntry[]>([]);
  /** How far each upload is, by entry id, 0 to 1. */
  progress = $state<Record<string, number>>({});
  #lanes = new Set<string>();
  #listeners = new Set<Listener>();
  #refusedListeners = new Set<RefusedListener>();
  /** What entries of this visit became, so that they can still be taken back. */
  #eventIds = new Map<string, string>();
  #isSecret: (roomId: string) => boolean = () => false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Reads what an earlier visit left and starts sending. */
  async start(): Promise<void> {
    reachability.whenBack(() => this.flush());
    await this.restore();
  }

  async restore(): Promise<void> {
    const all = await (await database()).getAll('outbox').catch(() => []);
    const known = new Set(this.entries.map((entry) => entry.id));
    const mine = all.filter((entry) => entry.owner === session.userId && !known.has(entry.id));
    // What was sent in an earlier visit comes back by the sync, not from here.
    for (const entry of mine) if (entry.state === 'sent') void this.discard(entry.id);
    const kept = mine.filter((entry) => entry.state !== 'sent');
    this.entries = [...kept, ...this.entries].sort((a, b) => a.createdAt - b.createdAt);
    this.flush();
  }

  /** Takes a draft: kept first, then sent as soon as the server answers. */
  async add(draft: Draft): Promise<OutboxEntry> {
    const common = {
      id: crypto.randomUUID(),
      owner: session.userId,
      createdAt: Date.now() * 1000,
      state: 'waiting' as const,
      tried: false,
      ...(draft.roomId && draft.kind !== 'transfer' && this.#isSecret(draft.roomId) ? { secret: true } : {}),
    };
    const entry = { ...draft, ...common } as OutboxEntry;
    this.entries = [...this.entries, entry];
    await this.#keep(entry);
    this.flush();
    return entry;
  }

  /** Tries a refused entry once more, under its old key. */
  async retry(id: string): Promise<void> {
    const entry = this.find(id);
    if (!entry) return;
    await this.#keep({ ...entry, state: 'waiting', problem: undefined });
    this.flush();
  }

  /** Drops an entry: its echo is in the chat, or the person gave it up. */
  async discard(id: string): Promise<void> {
    this.entries = this.entries.filter((entry) => entry.id !== id);
    delete this.progress[id];
    await (await database()).delete('outbox', id).catch(() => undefined);
  }

  find(id: string): OutboxEntry | undefined {
    return this.entries.find((entry) => entry.id === id);
  }

  /** Calls `listener` for each entry the server took. Returns a function that stops it. */
  whenSent(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` for what was refused and has no place in a chat where it could say so. */
  whenQuietlyRefused(listener: RefusedListener): void {
    this.#refusedListeners.add(listener);
  }

  /** Tells the outbox how to know chats into which nothing may go unsealed. */
  knowSecrets(isSecret: (roomId: string) => boolean): void {
    this.#isSecret = isSecret;
  }

  /** The event an entry became; an id that is an event's already comes back as it is. */
  eventIdOf(id: string): string | undefined {
    return id.startsWith('$') ? id : (this.find(id)?.eventId ?? this.#eventIds.get(id));
  }

  clear(): void {
    this.#eventIds.clear();
    this.entries = [];
    this.progress = {};
  }

  /** Sends everything that waits, each chat in its own lane. */
  flush(): void {
    if (!reachability.reachable) return;
    const waiting = this.entries.filter((entry) => entry.state === 'waiting');
    for (const lane of new Set(waiting.map(laneOf))) void this.#run(lane);
  }

  async #run(lane: string): Promise<void> {
    if (this.#lanes.has(lane)) return;
    this.#lanes.add(lane);
    try {
      for (;;) {
        const next = this.entries.find((entry) => entry.state === 'waiting' && laneOf(entry) === lane);
        if (!next || !(await this.#sendOne(next))) break;
      }
    } finally {
      this.#lanes.delete(lane);
    }
  }

  /** Returns whether the lane may go on. */
  async #sendOne(entry: OutboxEntry): Promise<boolean> {
    if (!entry.tried) await this.#keep({ ...entry, tried: true });
    try {
      const sent = await send(this.find(entry.id) ?? entry, {
        keep: (changed) => this.#keep(changed),
        progress: (id, share) => (this.progress[id] = share),
        eventIdOf: (id) => this.eventIdOf(id),
      });
      await this.#taken(entry, sent);
      return true;
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return false;
      if (error instanceof Refused && error.status !== 429) {
        await this.#refused(entry.id, error);
        return true;
      }
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.flush(), RETRY_MS);
      return false;
    }
  }

  async #refused(id: string, problem: Refused): Promise<void> {
    const held = this.find(id);
    if (!held) return;
    if (isMessage(held)) return this.#keep({ ...held, state: 'failed', problem: problem.slug });
    for (const listener of this.#refusedListeners) listener(held, problem);
    await this.discard(id);
  }

  async #taken(entry: OutboxEntry, sent: Sent): Promise<void> {
    if (sent.eventId) this.#eventIds.set(entry.id, sent.eventId);
    for (const listener of this.#listeners) listener(entry, sent);
    const held = this.find(entry.id);
    if (!held) return;
    // With an event to come it stays visible until the sync brings it.
    if (sent.eventId) await this.#keep({ ...held, state: 'sent', eventId: sent.eventId });
    else await this.discard(entry.id);
  }

  async #keep(entry: OutboxEntry): Promise<void> {
    this.entries = this.entries.map((held) => (held.id === entry.id ? entry : held));
    try {
      await (await database()).put('outbox', entry);
    } catch {
      // Without a database the entry lives as long as the page.
    }
  }
}

function laneOf(entry: OutboxEntry): string {
  return entry.kind === 'transfer' ? entry.id : entry.roomId;
}

export const outbox = new Outbox();
