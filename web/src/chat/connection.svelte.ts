/**
 * The running Matrix client: loaded after sign-in, synced in the background, stopped at sign-out. What it knows
 * is turned into plain rows and messages by `rooms.ts`; pages never touch the client itself.
 */
import type { MatrixClient, MatrixEvent, Room } from 'matrix-js-sdk';
import { origin } from '../api/client';
import { reachSignedIn } from '../net/fetch';
import { session } from '../session/session.svelte';

/** Changes come in bursts: they are told once per pause. */
const TELL_AFTER_MS = 30;
const FIRST_SYNC_MESSAGES = 30;

type Listener = (changedRooms: ReadonlySet<string>) => void;

/** The library asks each server for its call relays at every start; there are none, so nothing is asked. */
const CALL_RELAYS = '/org.matrix.msc4143/rtc/transports';

/** Long polls wait as long as the library says. */
async function fetchForMatrix(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  if (String(input).includes(CALL_RELAYS)) {
    return Response.json({ errcode: 'M_UNRECOGNIZED', error: 'No calls yet' }, { status: 404 });
  }
  return reachSignedIn(input, init, null);
}

class ChatConnection {
  client = $state.raw<MatrixClient | null>(null);
  /** The first sync (or the one kept from the last visit) is in. */
  ready = $state(false);
  /** A sync of this visit is in. The library keeps one for the next visit only every few minutes, so without this ours is newer. */
  live = $state(false);
  #listeners = new Set<Listener>();
  #eventListeners = new Set<(event: MatrixEvent, room: Room) => void>();
  #changed = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #starting: Promise<void> | undefined;
  #generation = 0;

  start(): Promise<void> {
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Calls `listener` with the rooms that changed. */
  whenChanged(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` with each event that happens now (not with history). */
  whenEvent(listener: (event: MatrixEvent, room: Room) => void): void {
    this.#eventListeners.add(listener);
  }

  async stop(): Promise<void> {
    this.#generation += 1;
    this.#starting = undefined;
    const client = this.client;
    this.client = null;
    this.ready = false;
    this.live = false;
    client?.stopClient();
    await client?.clearStores().catch(() => undefined);
  }

  async #start(): Promise<void> {
    const generation = ++this.#generation;
    const sdk = await import('matrix-js-sdk');
    const held = session.current;
    if (!held || generation !== this.#generation) return;
    const store = new sdk.IndexedDBStore({
      indexedDB: window.indexedDB,
      dbName: `haechi-${held.device_id}`,
      localStorage: window.localStorage,
    });
    const client = sdk.createClient({
      baseUrl: origin(),
      userId: held.person.user_id,
      deviceId: held.device_id,
      // Each request takes a fresh token from the session (see `reachSignedIn`); this one only marks "signed in".
      accessToken: held.access_token,
      fetchFn: fetchForMatrix,
      store,
      timelineSupport: true,
      useAuthorizationHeader: true,
      disableVoip: true,
    });
    await store.startup().catch(() => undefined);
    if (generation !== this.#generation) return;
    this.#listen(sdk, client);
    this.client = client;
    await client.startClient({ initialSyncLimit: FIRST_SYNC_MESSAGES, lazyLoadMembers: false });
  }

  #listen(sdk: typeof import('matrix-js-sdk'), client: MatrixClient): void {
    const touch = (room: Room | undefined) => room && this.#touch(room.roomId);
    client.on(sdk.ClientEvent.Sync, (state, _before, data) => {
      if (this.live || (state !== 'PREPARED' && state !== 'SYNCING')) return;
      this.ready = true;
      this.live = !data?.fromCache;
      for (const room of client.getRooms()) this.#touch(room.roomId);
      this.#touch('');
    });
    client.on(sdk.ClientEvent.Room, touch);
    client.on(sdk.ClientEvent.DeleteRoom, (roomId) => this.#touch(roomId));
    client.on(sdk.RoomEvent.Timeline, (event, room, toStart, _removed, data) => {
      touch(room);
      if (!room || toStart || !data.liveEvent || !this.live) return;
      for (const listener of this.#eventListeners) listener(event, room);
    });
    client.on(sdk.RoomEvent.Receipt, (_event, room) => touch(room));
    client.on(sdk.RoomEvent.Name, touch);
    client.on(sdk.RoomEvent.MyMembership, touch);
    client.on(sdk.RoomEvent.Redaction, (_event, room) => touch(room));
    client.on(sdk.RoomEvent.TimelineReset, touch);
    client.on(sdk.RoomStateEvent.Members, (_event, state) => this.#touch(state.roomId));
    client.on(sdk.RoomMemberEvent.Typing, (_event, member) => this.#touch(member.roomId));
    client.on(sdk.HttpApiEvent.SessionLoggedOut, () => session.end('expired'));
  }

  #touch(roomId: string): void {
    this.#changed.add(roomId);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const changed = this.#changed;
      this.#changed = new Set();
      for (const listener of this.#listeners) listener(changed);
    }, TELL_AFTER_MS);
  }
}

export const connection = new ChatConnection();
