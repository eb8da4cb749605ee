/** One open chat: its messages (from the cache at once, then live), with what still waits in the outbox. */
import type { Room } from 'matrix-js-sdk';
import { readCache, writeCache } from '../cache/database';
import { changeover } from '../net/changeover.svelte';
import { reachability } from '../net/reachability.svelte';
import type { OutboxEntry } from '../outbox/entry';
import { outbox } from '../outbox/outbox.svelte';
import { session } from '../session/session.svelte';
import { connection } from './connection.svelte';
import type { Body, Message } from './message';
import { membersOf, messagesOf, typingIn, type Member } from './rooms';

const PAGE = 40;
const CACHED_MESSAGES = 60;
const CACHE_AFTER_MS = 1_000;

export class Timeline {
  /** What the server has. */
  events = $state.raw<Message[]>([]);
  members = $state.raw<Member[]>([]);
  typing = $state.raw<string[]>([]);
  loaded = $state(false);
  loadingOlder = $state(false);
  /** There is more history on the server. */
  hasOlder = $state(false);
  /** The server's messages and, after them, what is still on its way. */
  messages = $derived.by(() => [...this.events, ...this.#onTheWay()]);
  #fromCache = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stop: () => void;

  constructor(readonly roomId: string) {
    this.#stop = connection.whenChanged((changed) => {
      if (changed.has(roomId) || changed.has('')) this.#read();
    });
    this.#read();
    if (!connection.live) void this.#readCached();
  }

  close(): void {
    this.#stop();
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#cache();
  }

  async loadOlder(): Promise<void> {
    const room = this.#room();
    if (!room || this.loadingOlder || !this.hasOlder) return;
    this.loadingOlder = true;
    try {
      await connection.client?.scrollback(room, PAGE);
    } catch {
      // Away: the person scrolls again when we are back.
    } finally {
      this.loadingOlder = false;
      this.#read();
    }
  }

  /** Tells the server that everything up to the last message was seen. */
  markRead(): void {
    const room = this.#room();
    const last = room?.getLiveTimeline().getEvents().at(-1);
    if (!room || !last || !reachability.reachable) return;
    if (room.getEventReadUpTo(session.userId) === last.getId()) return;
    void connection.client?.sendReadReceipt(last).catch(() => undefined);
  }

  #room(): Room | null {
    return (connection.ready && connection.client?.getRoom(this.roomId)) || null;
  }

  #read(): void {
    const room = this.#room();
    if (!room || this.#isNewer()) return;
    this.events = messagesOf(room, session.userId);
    this.members = membersOf(room);
    this.typing = typingIn(room, session.userId);
    this.hasOlder = room.oldState.paginationToken !== null;
    this.loaded = true;
    this.#dropEchoed();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#cache();
    }, CACHE_AFTER_MS);
  }

  async #readCached(): Promise<void> {
    const cached = await readCache<{ events: Message[]; members: Member[] }>(`chat ${this.roomId}`);
    if (!cached || connection.live) return;
    this.events = cached.events;
    this.members = cached.members;
    this.#fromCache = true;
    this.loaded = true;
  }

  /** What is shown comes from our cache, and the client has but what it kept before that: messages would go and come back. */
  #isNewer(): boolean {
    return this.#fromCache && !connection.live;
  }

  #cache(): void {
    const { events, members } = this;
    if (session.current) {
      void writeCache(`chat ${this.roomId}`, { events: events.slice(-CACHED_MESSAGES), members });
    }
  }

  /** What was sent and has come back by the sync leaves the outbox. */
  #dropEchoed(): void {
    const known = this.#knownIds();
    for (const entry of outbox.entries) if (isEchoed(entry, known)) void outbox.discard(entry.id);
  }

  #onTheWay(): Message[] {
    const known = this.#knownIds();
    return outbox.entries
      .filter((entry) => entry.roomId === this.roomId && !isEchoed(entry, known) && isShown(entry))
      .map(asMessage);
  }

  #knownIds(): Set<string> {
    return new Set(this.events.slice(-200).flatMap((event) => [event.id, event.transactionId ?? event.id]));
  }
}

function isEchoed(entry: OutboxEntry, known: Set<string>): boolean {
  return known.has(entry.id) || (entry.eventId !== undefined && known.has(entry.eventId));
}

/** Money on its way is followed by its sheet; in the chat it shows when it has to wait or was refused. */
function isShown(entry: OutboxEntry): boolean {
  if (entry.kind !== 'transfer') return true;
  return entry.state === 'failed' || (entry.state === 'waiting' && !canWrite());
}

function canWrite(): boolean {
  return reachability.reachable && !changeover.writesWait;
}

function asMessage(entry: OutboxEntry): Message {
  const state = entry.state === 'failed' ? 'failed' : canWrite() ? 'sending' : 'waiting';
  return {
    id: entry.id,
    transactionId: entry.id,
    sender: entry.owner,
    at: entry.createdAt,
    state,
    unreadBy: 0,
    body: bodyOf(entry),
  };
}

function bodyOf(entry: OutboxEntry): Body {
  switch (entry.kind) {
    case 'text':
      return { kind: 'text', text: entry.text };
    case 'transfer': {
      const { amount, to, memo } = entry.request;
      const transfer = {
        transferId: '',
        amount: amount.amount,
        currency: amount.currency,
        to,
        memo: memo ?? '',
      };
      return { kind: 'transfer', transfer };
    }
    case 'file': {
      const { file, name, width, height, id } = entry;
      const media = { url: `outbox:${id}`, name, type: file.type, bytes: file.size, width, height };
      return { kind: file.type.startsWith('image/') ? 'image' : 'file', media };
    }
  }
}
