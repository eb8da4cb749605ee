/** The way into a secret chat: with keys at hand on this side, and on the server for the other side to find. */
import { Unreachable } from '../../api/problems';
import { session } from '../../session/session.svelte';
import { chats } from '../chats.svelte';
import { connection } from '../connection.svelte';
import { createSecret, matrix } from '../matrix';
import { record } from '../values';

const KEYS_ASKED_MAX = 12;
const KEYS_PAUSE_MS = 250;

/** The secret chat of the two: the one there is, or a new one. */
export async function startSecret(userId: string): Promise<string> {
  await readyForSecrets();
  const known = chats.rows.find(
    (row) => row.secret && row.others.length === 1 && row.others[0]!.userId === userId,
  );
  return known?.roomId ?? createSecret(userId);
}

/**
 * Turns encryption on and waits until the server has this device's keys: what the other writes after that, this
 * device can read.
 */
export async function readyForSecrets(): Promise<void> {
  await connection.withSecrets();
  const deviceId = session.current?.device_id ?? '';
  const question = { device_keys: { [session.userId]: [deviceId] } };
  for (let asked = 1; asked <= KEYS_ASKED_MAX; asked += 1) {
    const answer = await matrix<Record<string, unknown>>('POST', '/keys/query', question);
    if (deviceId in record(record(answer.device_keys)[session.userId])) return;
    await new Promise((resolve) => setTimeout(resolve, KEYS_PAUSE_MS * asked));
  }
  throw new Unreachable('the keys of this device did not arrive');
}
