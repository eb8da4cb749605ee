/** The key that opens a person's secrets on the server, held in memory while it is made or used. */
import type { CryptoCallbacks } from 'matrix-js-sdk/lib/crypto-api';

type Key = Uint8Array<ArrayBuffer>;

let entered: Key | null = null;
const known = new Map<string, Key>();

/** What the library asks the app for. */
export const secretCallbacks: CryptoCallbacks = {
  getSecretStorageKey: async ({ keys }) => {
    for (const id of Object.keys(keys)) {
      const key = known.get(id) ?? entered;
      if (key) return [id, key];
    }
    return null;
  },
  cacheSecretStorageKey: (id, _about, key) => known.set(id, key),
};

/** Lends the library a key that was typed, for as long as `work` takes. */
export async function withRecoveryKey<T>(key: Key, work: () => Promise<T>): Promise<T> {
  entered = key;
  try {
    return await work();
  } finally {
    forgetRecoveryKey();
  }
}

export function forgetRecoveryKey(): void {
  entered = null;
  known.clear();
}
