/**
 * The recovery key: with it a new device can read the secret chats of before. It opens the person's secrets on the
 * server (cross-signing keys and the key of the backup), which the server itself cannot read.
 */
import type { CryptoApi } from 'matrix-js-sdk/lib/crypto-api';
import { Refused } from '../../api/problems';
import { connection } from '../connection.svelte';
import { forgetRecoveryKey, withRecoveryKey } from './vault';

/** `none`: no backup yet; `here`: this device writes to it; `elsewhere`: it waits for the key. */
export type BackupState = 'none' | 'here' | 'elsewhere';

async function ready() {
  await connection.withSecrets();
  const { client } = connection;
  const crypto = client?.getCrypto();
  if (!client || !crypto) throw new Error('encryption is not ready');
  return { client, crypto };
}

export async function backupState(): Promise<BackupState> {
  const { crypto } = await ready();
  const info = await crypto.getKeyBackupInfo();
  if (!info?.version) return 'none';
  return (await crypto.getActiveSessionBackupVersion()) === info.version ? 'here' : 'elsewhere';
}

/** Makes a new recovery key, and with it a new backup. Whoever held the old one can no longer use it. */
export async function makeRecoveryKey(): Promise<string> {
  const { crypto } = await ready();
  const made = await crypto.createRecoveryKeyFromPassphrase();
  try {
    await signedByOwnKeys(crypto);
    await crypto.bootstrapSecretStorage({
      createSecretStorageKey: () => Promise.resolve(made),
      setupNewSecretStorage: true,
      setupNewKeyBackup: true,
    });
  } finally {
    forgetRecoveryKey();
  }
  return made.encodedPrivateKey ?? '';
}

/** Reads the backup with the key a person typed. Returns how many keys came back; a wrong key is refused. */
export async function enterRecoveryKey(typed: string): Promise<number> {
  const { client, crypto } = await ready();
  const { decodeRecoveryKey } = await import('matrix-js-sdk/lib/crypto-api/recovery-key');
  const wrong = new Refused(400, 'wrong-recovery-key', 'This is not the recovery key');
  let key: Uint8Array<ArrayBuffer>;
  try {
    key = decodeRecoveryKey(typed.trim());
  } catch {
    throw wrong;
  }
  const held = await client.secretStorage.getKey();
  if (!held || !(await client.secretStorage.checkKey(key, held[1]))) throw wrong;
  return withRecoveryKey(key, async () => {
    await signedByOwnKeys(crypto);
    await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
    await crypto.checkKeyBackupAndEnable();
    return (await crypto.restoreKeyBackup()).imported;
  });
}

/**
 * Signs this device with the person's own keys, makes them when there are none, and keeps them among the secrets. On a
 * server where only a password replaces such keys, a person without one still gets the backup.
 */
async function signedByOwnKeys(crypto: CryptoApi): Promise<void> {
  const authUploadDeviceSigningKeys = (upload: (auth: null) => Promise<void>) => upload(null);
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys }).catch(() => undefined);
}
