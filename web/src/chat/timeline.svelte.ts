/** One open chat: its messages (from the cache at once, then live), with what still waits in the outbox. */
import type { EventTimeline, Room } from 'matrix-js-sdk';
import { readCache, writeCache } from '../cache/database';
import { changeover } from '../net/changeover.svelte';
import { reachability } from '../net/reachability.svelte';
import { eventOf, isMessage } from '../outbox/content';
import type { OutboxEntry } from '../outbox/entry';
import { outbox } from '../outbox/outbox.svelte';
import { session } from '../session/session.svelte';
import { connection } from './connection.svelte';
import { conversationOf, firstUnreadOf, type Reader } from './conversation';
import { BACK, chainOf, FORTH, rawOf, readersOf } from './events';
import type { RawEvent } from './message';
import { announcedIn, isSecret, maySet, membersOf, typingIn, type Member } from './rooms';

const PAGE = 40;
const CACHED_EVENTS = 100;
const CACHE_AFTER_MS = 1_000;

/** What the person may do in the chat beyond talking. */
export interface Rights {
  announce: boolean;
  /** Delete what others said. */
  remove: boolean;
}

interface Cached {
  raw: RawEvent[];
  members: Member[];
  readers: Reader[];
  announced: string[];
}

export class Timeline {
  /** What the server has. */
  raw = $state.raw<RawEvent[]>([]);
  members = $state.raw<Member[]>([]);
  typing = $state.raw<string[]>([]);
  announced = $state.raw<string[]>([]);
  rights = $state.raw<Rights>({ announce: false, remove: false });
  loaded = $state(false);
  loadingOlder = $state(false);
  /** There is more history on the server. */
  hasOlder = $state(false);
  /** An older part of the chat is shown, and the newest messages are not. */
  inPast = $state(false);
  /** The message that was jumped to; a new object for each jump. */
  jumped = $state.raw<{ id: string } | null>(null);
  /** Where what is new to the person began when they opened the chat. */
  firstUnread = $state('');
  /** The server's messages and, after them, what is still on its way. */
  messages = $derived.by(() =>
    conversationOf({
      events: this.raw,
      pending: this.#pending(),
      readers: this.inPast ? [] : this.#readers,
      me: session.userId,
      ignored: this.#ignored,
    }),
  );
  #readers = $state.raw<Reader[]>([]);
  #ignored = $state.raw<ReadonlySet<string>>(new Set());
  #past: EventTimeline | null = null;
  #fromCache = false;
  #loadingNewer = false;
  #knowsUnread = false;
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
    const { client } = connection;
    if (!room || !client || this.loadingOlder || !this.hasOlder) return;
    this.loadingOlder = true;
    try {
      const oldest = chainOf(this.#shown(room))[0]!;
      await client.paginateEventTimeline(oldest, { backwards: true, limit: PAGE });
    } catch {
      // Away: the person scrolls again when we are back.
    } finally {
      this.loadingOlder = false;
      this.#read();
    }
  }

  /** Loads on towards the newest messages while an older part is shown. */
  async loadNewer(): Promise<void> {
    const room = this.#room();
    const { client } = connection;
    if (!room || !client || !this.inPast || this.#loadingNewer) return;
    this.#loadingNewer = true;
    try {
      const newest = chainOf(this.#shown(room)).at(-1)!;
      const isMore = await client.paginateEventTimeline(newest, { backwards: false, limit: PAGE });
      // The server has nothing newer: what comes next comes by the sync.
      if (!isMore && !newest.getPaginationToken(FORTH)) this.#past = null;
    } catch {
      // As above.
    } finally {
      this.#loadingNewer = false;
      this.#read();
    }
  }

  /** Shows the chat around a message. Returns whether it is there to be shown. */
  async jumpTo(eventId: string): Promise<boolean> {
    const room = this.#room();
    if (room && connection.client && !this.#holds(eventId)) {
      try {
        const found = await connection.client.getEventTimeline(room.getUnfilteredTimelineSet(), eventId);
        this.#past = found;
        this.#read();
      } catch {
        return false;
      }
    }
    if (!this.#holds(eventId)) return false;
    this.jumped = { id: eventId };
    return true;
  }

  /** Back from an older part to the newest messages. */
  toNewest(): void {
    this.#past = null;
    this.#read();
  }

  /** The event as it came, for forwarding and reporting. */
  find(eventId: string): RawEvent | undefined {
    return this.raw.find((event) => event.event_id === eventId);
  }

  /** Tells the server that everything up to the last message was seen. */
  markRead(): void {
    const room = this.#room();
    if (!room || this.inPast || !reachability.reachable) return;
    const events = room.getLiveTimeline().getEvents();
    // What the library shows of its own before the server has it cannot be marked.
    const last = events.findLast((event) => event.status === null);
    if (!last || room.getEventReadUpTo(session.userId) === last.getId()) return;
    void connection.client?.sendReadReceipt(last).catch(() => undefined);
  }

  #room(): Room | null {
    return (connection.ready && connection.client?.getRoom(this.roomId)) || null;
  }

  #shown(room: Room): EventTimeline {
    return this.#past ?? room.getLiveTimeline();
  }

  #holds(eventId: string): boolean {
    return this.raw.some((event) => event.event_id === eventId);
  }

  #read(): void {
    const room = this.#room();
    if (!room || this.#isNewer()) return;
    const chain = chainOf(this.#shown(room));
    if (chain.includes(room.getLiveTimeline())) this.#past = null;
    const events = chain.flatMap((timeline) => timeline.getEvents());
    for (const event of events) void connection.client?.decryptEventIfNeeded(event);
    this.inPast = this.#past !== null;
    // What the library echoes by itself (calls) is not a message yet.
    this.raw = events.filter((event) => event.status === null).map(rawOf);
    this.members = membersOf(room);
    this.typing = typingIn(room, session.userId);
    this.announced = announcedIn(room);
    this.rights = rightsIn(room);
    this.hasOlder = chain[0]!.getPaginationToken(BACK) !== null;
    this.#readers = readersOf(room);
    this.#ignored = new Set(connection.client?.getIgnoredUsers());
    this.#rememberUnread(room);
    this.loaded = true;
    this.#dropEchoed();
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#cache();
    }, CACHE_AFTER_MS);
  }

  /** Once, at the first look: later everything is read as it comes. */
  #rememberUnread(room: Room): void {
    if (this.#knowsUnread || !connection.live) return;
    this.#knowsUnread = true;
    this.firstUnread = firstUnreadOf(this.raw, room.getEventReadUpTo(session.userId), session.userId);
  }

  async #readCached(): Promise<void> {
    const cached = await readCache<Partial<Cached>>(`chat ${this.roomId}`);
    if (!cached?.raw || connection.live) return;
    this.raw = cached.raw;
    this.members = cached.members ?? [];
    this.announced = cached.announced ?? [];
    this.#readers = cached.readers ?? [];
    this.#fromCache = true;
    this.loaded = true;
  }

  /** What is shown comes from our cache, and the client has but what it kept before that: messages would go and come back. */
  #isNewer(): boolean {
    return this.#fromCache && !connection.live;
  }

  #cache(): void {
    const room = this.#room();
    // What came sealed is kept sealed, by the library.
    if (!session.current || this.inPast || !room || isSecret(room)) return;
    const { members, announced } = this;
    const raw = this.raw.slice(-CACHED_EVENTS);
    void writeCache(`chat ${this.roomId}`, {
      raw,
      members,
      announced,
      readers: this.#readers,
    } satisfies Cached);
  }

  /** What was sent and has come back by the sync leaves the outbox. */
  #dropEchoed(): void {
    const known = this.#knownIds();
    for (const entry of outbox.entries) if (isEchoed(entry, known)) void outbox.discard(entry.id);
  }

  #pending(): RawEvent[] {
    const known = this.#knownIds();
    return outbox.entries
      .filter((entry) => entry.roomId === this.roomId && !isEchoed(entry, known) && isShown(entry))
      .filter((entry) => !this.inPast || !isMessage(entry))
      .map(asEvent);
  }

  #knownIds(): Set<string> {
    return new Set(
      this.raw.slice(-200).flatMap((event) => [event.event_id, event.transactionId ?? event.event_id]),
    );
  }
}

function rightsIn(room: Room): Rights {
  const member = room.getMember(session.userId);
  const state = room.currentState;
  return {
    announce: maySet(room, 'm.room.pinned_events', session.userId),
    remove: state.hasSufficientPowerLevelFor('redact', member?.powerLevel ?? 0),
  };
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

function asEvent(entry: OutboxEntry): RawEvent {
  const state = entry.state === 'failed' ? 'failed' : canWrite() ? 'sending' : 'waiting';
  const event = eventOf(entry, state);
  // A reaction of this visit may have its event id by now.
  if (event.redacts) event.redacts = outbox.eventIdOf(event.redacts) ?? event.redacts;
  return event;
}
