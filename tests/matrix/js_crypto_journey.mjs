// A stock Matrix client's secrets: matrix-js-sdk with its Rust crypto talks encrypted between two people and two devices of
// one, sets cross-signing and a key backup up, and restores the messages on a fresh device.
import { EventType, Preset } from 'matrix-js-sdk';
import { passwordOf, run, same, signIn, startSync, step, until, users } from './js_steps.mjs';

/** Signs in on a new device with encryption. `recovery` holds the key of the person's secret storage. */
async function signInEncrypted(user, recovery) {
  const client = await signIn(user, {
    cryptoCallbacks: {
      getSecretStorageKey: async ({ keys }) => [Object.keys(keys)[0], recovery.key],
      cacheSecretStorageKey: (_id, _info, key) => {
        recovery.key = key;
      },
    },
  });
  await client.initRustCrypto({ useIndexedDB: false });
  await startSync(client, { initialSyncLimit: 20 });
  const own = async () => {
    const devices = await client.getCrypto().getUserDeviceInfo([user], true);
    return devices.get(user)?.has(client.getDeviceId());
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
  const answer = await fetch(`${client.getHomeserverUrl()}/_matrix/client/v3/room_keys/version`, {
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
      return send({ ...passwordOf(client.getUserId()), session: asked?.data?.session });
    },
  });
  same('the question for the password', asked?.httpStatus, 401);
}

async function deleteDevice(client, gone) {
  const deviceId = gone.getDeviceId();
  gone.stopClient();
  await client.deleteDevice(deviceId, passwordOf(client.getUserId()));
  const devices = await client.getDevices();
  same(
    'the device is gone',
    devices.devices.some((device) => device.device_id === deviceId),
    false,
  );
}

async function journey() {
  const [userA, userB] = users();
  const [ofMinji, ofJoon] = [{}, {}];
  const minji = await step('A signs in', () => signInEncrypted(userA, ofMinji));
  const joon = await step('B signs in', () => signInEncrypted(userB, ofJoon));
  await step('A sets cross-signing and a backup up', () => setUp(minji, ofMinji));
  await step('B does too', () => setUp(joon, ofJoon));
  const roomId = await step('A invites B into an encrypted room', () => openRoom(minji, joon));
  await step('B reads what A writes', async () => {
    await minji.sendTextMessage(roomId, 'for your eyes');
    await reads(joon, roomId, 'for your eyes');
  });
  const tablet = await step('B signs in on a second device', () => signInEncrypted(userB, ofJoon));
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
  const fresh = await step('A signs in on a fresh device', () => signInEncrypted(userA, ofMinji));
  await step('which reads the old messages by the backup', () =>
    restore(fresh, roomId, ['for your eyes', 'for both of them']),
  );
  await step('B sees that A signed the fresh device', () => isVerified(joon, fresh));
  await step('A resets the identity with the password', () => resetIdentity(minji));
  await step('B deletes the second device with the password', () => deleteDevice(joon, tablet));
}

await run('js crypto', journey);
