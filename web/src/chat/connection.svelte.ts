/**
 * The running Matrix client: loaded after sign-in, synced in the background, stopped at sign-out. What it knows
 * is turned into plain rows and messages by `rooms.ts` and `events.ts`; pages never touch the client itself.
 */
import type { MatrixClient, MatrixEvent, Room } from 'matrix-js-sdk';
import { origin } from '../api/client';
import { reachSignedIn } from '../net/fetch';
import { session, type SessionEnd } from '../session/session.svelte';
import { listen } from './listen';
import { secretCallbacks } from './secret/vault';

/** Changes come in bursts: they are told once per pause. */
const TELL_AFTER_MS = 30;
const FIRST_SYNC_MESSAGES = 30;
/** The device on which secret chats are in use: only there encryption is loaded at the start. */
const SECRETS_KEY = 'haechi.secrets';
/** After encryption could not be loaded it is not tried again for each message that comes. */
const SECRETS_PAUSE_MS = 30_000;

type Listener = (changedRooms: ReadonlySet<string>) => void;
type EventListener = (event: MatrixEvent, room: Room) => void;

/** The library asks each server for relays of group calls at every start; there are none, so nothing is asked. */
const CALL_RELAYS = '/org.matrix.msc4143/rtc/transports';

/** Long polls wait as long as the library says. */
async function fetchForMatrix(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  if (String(input).includes(CALL_RELAYS)) {
    return Response.json({ errcode: 'M_UNRECOGNIZED', error: 'No group calls yet' }, { status: 404 });
  }
  return reachSignedIn(input, init, null);
}

class ChatConnection {
  client = $state.raw<MatrixClient | null>(null);
  /** The first sync (or the one kept from the last visit) is in. */
  ready = $state(false);
  /** A sync of this visit is in. The library keeps one for the next visit only every few minutes, so without this ours is newer. */
  live = $state(false);
  /** Secret chats can be read and written now. */
  secrets = $state(false);
  #listeners = new Set<Listener>();
  #eventListeners = new Set<EventListener>();
  #clientListeners = new Set<(client: MatrixClient) => void>();
  #changed = new Set<string>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #starting: Promise<void> | undefined;
  #turningOn: Promise<void> | undefined;
  #secretsFailedAt = 0;
  #generation = 0;

  start(): Promise<void> {
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Calls `listener` with the rooms that changed; the empty id says that all may have. */
  whenChanged(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Calls `listener` with each event that happens now (not with history). */
  whenEvent(listener: EventListener): void {
    this.#eventListeners.add(listener);
  }

  /** Calls `listener` with each client that starts: a new one takes over when encryption is turned on. */
  whenClient(listener: (client: MatrixClient) => void): void {
    this.#clientListeners.add(listener);
    if (this.client) listener(this.client);
  }

  /** Turns encryption on, which loads it. Does nothing when it is on. Fails when it cannot be loaded now. */
  async withSecrets(): Promise<void> {
    if (this.secrets) return;
    this.#turningOn ??= this.#turnOnSecrets().finally(() => (this.#turningOn = undefined));
    return this.#turningOn;
  }

  /** A session that ran out keeps the keys of secret chats: the same person signs in on the same device again. */
  async stop(reason: SessionEnd): Promise<void> {
    this.#generation += 1;
    this.#starting = undefined;
    const client = this.client;
    this.client = null;
    this.ready = false;
    this.live = false;
    this.secrets = false;
    client?.stopClient();
    if (reason === 'expired') return client?.store.deleteAllData().catch(() => undefined);
    localStorage.removeItem(SECRETS_KEY);
    const deviceId = client?.getDeviceId() ?? '';
    await client?.clearStores({ cryptoDatabasePrefix: keyStore(deviceId) }).catch(() => undefined);
  }

  async #start(): Promise<void> {
    const generation = ++this.#generation;
    const deviceId = session.current?.device_id;
    const wantsSecrets = deviceId !== undefined && localStorage.getItem(SECRETS_KEY) === deviceId;
    let client = await this.#build(wantsSecrets).catch((error: unknown) => {
      if (!wantsSecrets) throw error;
      // Encryption cannot be loaded now: the other chats need not wait for it.
      this.#secretsFailedAt = Date.now();
      return null;
    });
    client ??= wantsSecrets ? await this.#build(false) : null;
    if (!client || generation !== this.#generation) return;
    await this.#run(client);
  }

  async #turnOnSecrets(): Promise<void> {
    await this.start();
    const before = this.client;
    const generation = this.#generation;
    if (!before || this.secrets) return;
    try {
      await before.store.save(true);
      const client = await this.#build(true);
      if (!client || generation !== this.#generation) return;
      localStorage.setItem(SECRETS_KEY, client.getDeviceId() ?? '');
      before.stopClient();
      this.ready = false;
      this.live = false;
      await this.#run(client);
    } catch (error) {
      this.#secretsFailedAt = Date.now();
      throw error;
    }
  }

  async #build(withSecrets: boolean): Promise<MatrixClient | null> {
    const sdk = await import('matrix-js-sdk');
    const held = session.current;
    if (!held) return null;
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
      verificationMethods: ['m.sas.v1'],
      cryptoCallbacks: secretCallbacks,
    });
    await store.startup().catch(() => undefined);
    if (withSecrets) await client.initRustCrypto({ cryptoDatabasePrefix: keyStore(held.device_id) });
    return client;
  }

  async #run(client: MatrixClient): Promise<void> {
    const sdk = await import('matrix-js-sdk');
    listen(sdk, client, {
      touch: (roomId) => this.client === client && this.#touch(roomId),
      synced: (fromCache) => this.#synced(client, fromCache),
      event: (event, room) => {
        if (this.live) for (const listener of this.#eventListeners) listener(event, room);
      },
      loggedOut: () => session.end('expired'),
    });
    this.client = client;
    this.secrets = client.getCrypto() !== undefined;
    for (const listener of this.#clientListeners) listener(client);
    await client.startClient({ initialSyncLimit: FIRST_SYNC_MESSAGES, lazyLoadMembers: false });
  }

  #synced(client: MatrixClient, fromCache: boolean): void {
    if (this.live || this.client !== client) return;
    this.ready = true;
    this.live = !fromCache;
    for (const room of client.getRooms()) this.#touch(room.roomId);
    this.#touch('');
  }

  #touch(roomId: string): void {
    this.#changed.add(roomId);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      const changed = this.#changed;
      this.#changed = new Set();
      for (const listener of this.#listeners) listener(changed);
      this.#turnOnWhenNeeded(changed);
    }, TELL_AFTER_MS);
  }

  /** An invitation to a secret chat is enough: those who are in it need this device's keys before they write. */
  #turnOnWhenNeeded(changed: ReadonlySet<string>): void {
    const { client } = this;
    if (!client || !this.live || this.secrets || this.#turningOn) return;
    if (Date.now() - this.#secretsFailedAt < SECRETS_PAUSE_MS) return;
    const isSecret = [...changed].some((roomId) => client.getRoom(roomId)?.hasEncryptionStateEvent());
    if (isSecret) this.withSecrets().catch(() => undefined);
  }
}

function keyStore(deviceId: string): string {
  return `haechi-secrets-${deviceId}`;
}

export const connection = new ChatConnection();
