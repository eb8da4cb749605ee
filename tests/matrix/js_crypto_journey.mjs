// A stock Matrix client's secrets: matrix-js-sdk with its Rust crypto talks encrypted between two people and two devices of
// one, sets cross-signing and a key backup up, and restores the messages on a fresh device.
//
//   HAECHI_URL              where the server listens
//   HAECHI_USER_A, _B       the user ids of two people
//   HAECHI_PASSWORD         the password of both
//
// Ends with 0 when every step passed, and with 1 and one clear message at the first that did not.
import { setTimeout as pause } from 'node:timers/promises';
import { createClient, EventType, Preset } from 'matrix-js-sdk';
import { logger } from 'matrix-js-sdk/lib/logger.js';

// The client is written for Node 22 and browsers; this is the one thing that Node 20 lacks.
Promise.withResolvers ??= () => {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};
const silence = () => undefined;
logger.methodFactory = () => silence;
logger.rebuild();
const quiet = { trace: silence, debug: silence, info: silence, warn: silence, error: silence };
quiet.getChild = () => quiet;

const PATIENCE_MS = 30_000;

/** The clients that run, to be stopped at the end. */
const clients = [];
/** The step that runs now, for the message when it fails. */
let current = 'start';

async function step(name, work) {
  current = name;
  const began = Date.now();
  const result = await work();
  console.log(`ok ${name} (${Date.now() - began} ms)`);
  return result;
}

/** Asks `look` until it says something true. */
async function until(what, look) {
  const deadline = Date.now() + PATIENCE_MS;
  while (Date.now() < deadline) {
    const found = await look();
    if (found) return found;
    await pause(50);
  }
  throw new Error(`waited ${PATIENCE_MS} ms for: ${what}`);
}

function same(what, found, wanted) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (left !== right) throw new Error(`${what}: found ${left}, wanted ${right}`);
}

function given(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

/** What answers the question for the password. */
const password = (client) => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: client.getUserId() },
  password: given('HAECHI_PASSWORD'),
});

/** Signs in on a new device with encryption. `recovery` holds the key of the person's secret storage. */
async function signIn(user, recovery) {
  const session = await createClient({ baseUrl: given('HAECHI_URL'), logger: quiet }).loginRequest({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password: given('HAECHI_PASSWORD'),
    initial_device_display_name: 'js crypto journey',
  });
  const client = createClient({
    baseUrl: given('HAECHI_URL'),
    userId: session.user_id,
    accessToken: session.access_token,
    deviceId: session.device_id,
    logger: quiet,
    cryptoCallbacks: {
      getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], recovery.key],
      cacheSecretStorageKey: (_id, _info, key) => {
        recovery.key = key;
      },
    },
  });
  clients.push(client);
  await client.initRustCrypto({ useIndexedDB: false });
  await client.startClient({ initialSyncLimit: 20 });
  await until('the first sync', () => client.isInitialSyncComplete());
  const own = async () => {
    const devices = await client.getCrypto().getUserDeviceInfo([user], true);
    return devices.get(user)?.has(session.device_id);
  };
  await until('its own keys to be told', own);
  return client;
}

/** Cross-signing keys, a secret storage that holds them, and a key backup. */
async function setUp(client, recovery) {
  const crypto = client.getCrypto();
  // The first keys come without a password.
  await crypto.bootstrapCrossSigning({ authUploadDeviceSigningKeys: (send) => send(null) });
  await crypto.bootstrapSecretStorage({
    createSecretStorageKey: async () => {
      const made = await crypto.createRecoveryKeyFromPassphrase();
      recovery.key = made.privateKey;
      return made;
    },
    setupNewSecretStorage: true,
    setupNewKeyBackup: true,
  });
  await until('cross-signing to be ready', () => crypto.isCrossSigningReady());
  await until('the backup to be in use', () => crypto.getActiveSessionBackupVersion());
}

async function openRoom(minji, joon) {
  const { room_id: roomId } = await minji.createRoom({
    preset: Preset.PrivateChat,
    invite: [joon.getUserId()],
    initial_state: [
      {
        type: EventType.RoomEncryption,
        state_key: '',
        content: { algorithm: 'm.megolm.v1.aes-sha2' },
      },
    ],
  });
  await until('the invitation', () => joon.getRoom(roomId)?.getMyMembership() === 'invite');
  await joon.joinRoom(roomId);
  await until('both members', () => minji.getRoom(roomId)?.getJoinedMembers().length === 2);
  await until('encryption', () => minji.getCrypto().isEncryptionEnabledInRoom(roomId));
  return roomId;
}

/** Waits until a client shows this text, decrypted. */
async function reads(client, roomId, body) {
  const events = () => client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];
  const shows = () => events().find((event) => event.getContent().body === body);
  const event = await until(`"${body}" to be read`, shows);
  same('how it was sent', event.getWireType(), EventType.RoomMessageEncrypted);
}

async function isVerified(client, other) {
  const crypto = client.getCrypto();
  const status = () => crypto.getDeviceVerificationStatus(other.getUserId(), other.getDeviceId());
  await until('the signature of its owner', async () => (await status())?.signedByOwner);
}

/** How many keys the server holds: the client remembers what it was told when the backup was made. */
async function backedUp(client) {
  const answer = await fetch(`${given('HAECHI_URL')}/_matrix/client/v3/room_keys/version`, {
    headers: { authorization: `Bearer ${client.getAccessToken()}` },
  });
  return (await answer.json()).count;
}

/** A device without any keys gets them from the backup, by the key of the secret storage. */
async function restore(client, roomId, bodies) {
  const crypto = client.getCrypto();
  await crypto.bootstrapCrossSigning({});
  await until('cross-signing to be ready', () => crypto.isCrossSigningReady());
  await crypto.loadSessionBackupPrivateKeyFromSecretStorage();
  await crypto.checkKeyBackupAndEnable();
  const restored = await crypto.restoreKeyBackup();
  same('all keys were restored', restored.imported, restored.total);
  if (restored.total === 0) throw new Error('the backup held no keys');
  for (const body of bodies) await reads(client, roomId, body);
}

async function resetIdentity(client) {
  const crypto = client.getCrypto();
  let asked = null;
  await crypto.bootstrapCrossSigning({
    setupNewCrossSigning: true,
    authUploadDeviceSigningKeys: async (send) => {
      asked = await send(null).then(
        () => null,
        (error) => error,
      );
      return send({ ...password(client), session: asked?.data?.session });
    },
  });
  same('the question for the password', asked?.httpStatus, 401);
}

async function deleteDevice(client, gone) {
  const deviceId = gone.getDeviceId();
  gone.stopClient();
  await client.deleteDevice(deviceId, password(client));
  const devices = await client.getDevices();
  same(
    'the device is gone',
    devices.devices.some((device) => device.device_id === deviceId),
    false,
  );
}

async function journey() {
  const [userA, userB] = [given('HAECHI_USER_A'), given('HAECHI_USER_B')];
  const [ofMinji, ofJoon] = [{}, {}];
  const minji = await step('A signs in', () => signIn(userA, ofMinji));
  const joon = await step('B signs in', () => signIn(userB, ofJoon));
  await step('A sets cross-signing and a backup up', () => setUp(minji, ofMinji));
  await step('B does too', () => setUp(joon, ofJoon));
  const roomId = await step('A invites B into an encrypted room', () => openRoom(minji, joon));
  await step('B reads what A writes', async () => {
    await minji.sendTextMessage(roomId, 'for your eyes');
    await reads(joon, roomId, 'for your eyes');
  });
  const tablet = await step('B signs in on a second device', () => signIn(userB, ofJoon));
  await step('both devices of B read what A writes', async () => {
    const knows = async () => {
      const devices = await minji.getCrypto().getUserDeviceInfo([userB], true);
      return devices.get(userB)?.has(tablet.getDeviceId());
    };
    await until('A to know the new device', knows);
    await minji.sendTextMessage(roomId, 'for both of them');
    await reads(joon, roomId, 'for both of them');
    await reads(tablet, roomId, 'for both of them');
  });
  await step('A sees that B signed the first device', () => isVerified(minji, joon));
  await step('the backup of A holds keys', () => until('a key in the backup', () => backedUp(minji)));
  const fresh = await step('A signs in on a fresh device', () => signIn(userA, ofMinji));
  await step('which reads the old messages by the backup', () =>
    restore(fresh, roomId, ['for your eyes', 'for both of them']),
  );
  await step('B sees that A signed the fresh device', () => isVerified(joon, fresh));
  await step('A resets the identity with the password', () => resetIdentity(minji));
  await step('B deletes the second device with the password', () => deleteDevice(joon, tablet));
}

try {
  await journey();
  console.log('the js crypto journey passed');
} catch (error) {
  console.error(`the js crypto journey failed at: ${current}\n${error.stack ?? error.message}`);
  process.exitCode = 1;
}
for (const client of clients) client.stopClient();
// Its timers outlive it, and would hold Node for two minutes.
process.exit();
