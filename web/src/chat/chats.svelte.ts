/** The chat list: from the cache at once, then live. */
import { answer, api } from '../api/client';
import { Unreachable } from '../api/problems';
import { readCache, writeCache } from '../cache/database';
import { outbox } from '../outbox/outbox.svelte';
import { session } from '../session/session.svelte';
import { connection } from './connection.svelte';
import { rowOf, type ChatRow } from './rooms';

const CACHE_KEY = 'chats';
const CACHE_AFTER_MS = 1_000;

class Chats {
  rows = $state.raw<ChatRow[]>([]);
  /** There is something to show: from the cache or from the server. */
  loaded = $state(false);
  /** The Matrix library could not be loaded: offline before the first visit ended. */
  failed = $state(false);
  #timer: ReturnType<typeof setTimeout> | undefined;

  get unread(): number {
    return this.rows.reduce((sum, row) => {
      if (row.muted) return sum;
      return sum + (row.membership === 'invite' ? 1 : row.unread);
    }, 0);
  }

  async start(): Promise<void> {
    const cached = await readCache<ChatRow[]>(CACHE_KEY);
    if (cached && !connection.ready) {
      this.rows = cached;
      this.loaded = true;
    }
    connection.whenChanged((changed) => this.#read(changed));
    outbox.knowSecrets((roomId) => this.find(roomId)?.secret === true);
    await this.connect();
  }

  async connect(): Promise<void> {
    try {
      await connection.start();
      this.failed = false;
    } catch {
      this.failed = true;
    }
  }

  find(roomId: string): ChatRow | undefined {
    return this.rows.find((row) => row.roomId === roomId);
  }

  /** The chat with one other person, when there is one. */
  directWith(userId: string): ChatRow | undefined {
    return this.rows.find((row) => isDirect(row) && row.others[0]?.userId === userId);
  }

  /** The room of the two, by the server's word; while it is away, the one we know. */
  async openDirect(userId: string): Promise<string> {
    try {
      return (await answer(api.POST('/api/chat/direct', { body: { user_id: userId } }))).room_id;
    } catch (error) {
      const known = error instanceof Unreachable && this.directWith(userId);
      if (!known) throw error;
      return known.roomId;
    }
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.rows = [];
    this.loaded = false;
  }

  #read(changed: ReadonlySet<string>): void {
    const { client } = connection;
    // The list that is shown is newer than what the client kept from the last visit.
    if (!client || !connection.ready || (this.loaded && !connection.live)) return;
    const rows = new Map(this.loaded ? this.rows.map((row) => [row.roomId, row]) : []);
    // The first time everything is read, so that chats left on another device go from the cached list.
    const all = changed.has('') ? client.getRooms().map((room) => room.roomId) : changed;
    if (changed.has('')) rows.clear();
    for (const roomId of all) {
      const room = client.getRoom(roomId);
      const row = room && rowOf(client, room, session.userId);
      if (row) rows.set(roomId, row);
      else rows.delete(roomId);
    }
    this.rows = [...rows.values()].sort(inOrder);
    this.loaded = true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void writeCache(CACHE_KEY, this.rows.map(forKeeping));
    }, CACHE_AFTER_MS);
  }
}

export function isDirect(row: ChatRow): boolean {
  return row.membership === 'join' && !row.title && row.others.length === 1 && !row.secret;
}

/** Invitations, then what is kept at the top, then the newest. */
function inOrder(a: ChatRow, b: ChatRow): number {
  if (a.membership !== b.membership) return a.membership === 'invite' ? -1 : 1;
  if (Boolean(a.pinned) !== Boolean(b.pinned)) return a.pinned ? -1 : 1;
  return b.lastAt - a.lastAt;
}

/** What came sealed is not kept in the open. */
function forKeeping(row: ChatRow): ChatRow {
  return row.secret && row.lastBody ? { ...row, lastBody: { kind: 'encrypted' } } : row;
}

export const chats = new Chats();
