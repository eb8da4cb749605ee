/**
 * The app's own IndexedDB: `cache` keeps the last answer of each list so that the app starts without a network,
 * `outbox` keeps what waits to be sent.
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import type { OutboxEntry } from '../outbox/entry';

interface HaechiDatabase extends DBSchema {
  cache: { key: string; value: unknown };
  outbox: { key: string; value: OutboxEntry };
}

let opened: Promise<IDBPDatabase<HaechiDatabase>> | undefined;

/** The open database. Opened at first use. */
export function database(): Promise<IDBPDatabase<HaechiDatabase>> {
  opened ??= openDB<HaechiDatabase>('haechi', 1, {
    upgrade(db) {
      db.createObjectStore('cache');
      db.createObjectStore('outbox', { keyPath: 'id' });
    },
  });
  return opened;
}

/** Reads what was last cached under `key`; nothing when the browser keeps no database. */
export async function readCache<T>(key: string): Promise<T | undefined> {
  try {
    return (await (await database()).get('cache', key)) as T | undefined;
  } catch {
    return undefined;
  }
}

/** Keeps `value` under `key`. A browser that keeps no database only loses the quick start. */
export async function writeCache(key: string, value: unknown): Promise<void> {
  try {
    await (await database()).put('cache', value, key);
  } catch {
    // A full disk or private browsing must not stop the app.
  }
}

/** Forgets what was kept for the person who signs out. */
export async function forget(store: 'cache' | 'outbox'): Promise<void> {
  await (await database()).clear(store);
}
