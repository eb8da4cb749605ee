// A stock Matrix client that looks at a window of its rooms only: matrix-js-sdk with its SlidingSync (MSC4186).
//
//   HAECHI_URL              where the server listens
//   HAECHI_USER_A, _B       the user ids of two people
//   HAECHI_PASSWORD         the password of both
//
// Ends with 0 when every step passed, and with 1 and one clear message at the first that did not.
import { setTimeout as pause } from 'node:timers/promises';
import { createClient, EventType, Preset } from 'matrix-js-sdk';
import { logger } from 'matrix-js-sdk/lib/logger.js';
import { SlidingSync } from 'matrix-js-sdk/lib/sliding-sync.js';

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

const PATIENCE_MS = 20_000;
const ROOMS = ['one', 'two', 'three'];

/** What this client wants to know of a room beside its timeline. */
const STATE = [
  ['m.room.create', ''],
  ['m.room.name', ''],
  ['m.room.member', '$ME'],
  ['m.room.member', '$LAZY'],
];

/** The client that runs, to be stopped at the end. */
let running;
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
    const found = look();
    if (found) return found;
    await pause(20);
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

/** Signs in on a new device, without syncing. */
async function signIn(user) {
  const session = await createClient({ baseUrl: given('HAECHI_URL'), logger: quiet }).loginRequest({
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user },
    password: given('HAECHI_PASSWORD'),
    initial_device_display_name: 'js sliding journey',
  });
  return createClient({
    baseUrl: given('HAECHI_URL'),
    userId: session.user_id,
    accessToken: session.access_token,
    deviceId: session.device_id,
    timelineSupport: true,
    logger: quiet,
  });
}

async function openRooms(minji, joon) {
  const rooms = {};
  for (const name of ROOMS) {
    const wish = { preset: Preset.PrivateChat, name, invite: [joon.getUserId()] };
    const { room_id: roomId } = await minji.createRoom(wish);
    await joon.joinRoom(roomId);
    await minji.sendTextMessage(roomId, `first in ${name}`);
    rooms[name] = roomId;
  }
  return rooms;
}

const shown = (client) =>
  client
    .getRooms()
    .map((room) => room.name)
    .sort();
const bodies = (client, roomId) =>
  (client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [])
    .filter((event) => event.getType() === EventType.RoomMessage)
    .map((event) => event.getContent().body);

async function begin(joon) {
  const list = { ranges: [[0, 1]], timeline_limit: 3, required_state: STATE };
  const subscription = { timeline_limit: 20, required_state: STATE };
  const sliding = new SlidingSync(given('HAECHI_URL'), new Map([['all', list]]), subscription, joon, 5_000);
  running = joon;
  await joon.startClient({ slidingSync: sliding });
  await until('the first rooms', () => joon.getRooms().length >= 2);
  same('the rooms of the window', shown(joon), ['three', 'two']);
  same('the rooms of the list', sliding.getListData('all').joinedCount, 3);
  return sliding;
}

async function talk(minji, joon, roomId) {
  await minji.sendTextMessage(roomId, 'live');
  await until('the message', () => bodies(joon, roomId).includes('live'));
  same('the messages', bodies(joon, roomId), ['first in three', 'live']);
  const sender = () => joon.getRoom(roomId).getMember(minji.getUserId())?.name;
  same('who speaks', sender(), 'Minji');
  await joon.sendTyping(roomId, true, 10_000);
  await minji.sendTyping(roomId, true, 10_000);
  await until('typing', () => joon.getRoom(roomId).getMember(minji.getUserId())?.typing === true);
  const last = joon.getRoom(roomId).getLiveTimeline().getEvents().at(-1);
  await minji.sendReadReceipt(last);
  const readUpTo = () => joon.getRoom(roomId).getEventReadUpTo(minji.getUserId());
  await until('the receipt', () => readUpTo() === last.getId());
  await joon.sendReadReceipt(last);
  await until('no unread message', () => joon.getRoom(roomId).getUnreadNotificationCount() === 0);
}

async function grow(joon, sliding) {
  sliding.setListRanges('all', [[0, 9]]);
  await until('all rooms', () => joon.getRooms().length === 3);
  same('the rooms of the window', shown(joon), [...ROOMS].sort());
}

async function subscribe(minji, joon, sliding, roomId) {
  sliding.setListRanges('all', [[0, 0]]);
  sliding.modifyRoomSubscriptions(new Set([roomId]));
  for (const body of ['a', 'b']) {
    await minji.sendTextMessage(roomId, body);
    await until(`"${body}"`, () => bodies(joon, roomId).includes(body));
  }
  same('the messages', bodies(joon, roomId), ['first in one', 'a', 'b']);
}

async function comeAndGo(minji, joon, sliding) {
  sliding.setListRanges('all', [[0, 9]]);
  const { room_id: roomId } = await minji.createRoom({ name: 'four', invite: [joon.getUserId()] });
  const membership = () => joon.getRoom(roomId)?.getMyMembership();
  await until('the invitation', () => membership() === 'invite');
  await joon.joinRoom(roomId);
  await until('to have joined', () => membership() === 'join');
  await minji.kick(roomId, joon.getUserId());
  await until('to have left', () => membership() === 'leave');
}

async function journey() {
  const minji = await step('A signs in', () => signIn(given('HAECHI_USER_A')));
  const joon = await step('B signs in', () => signIn(given('HAECHI_USER_B')));
  const rooms = await step('three rooms are made', () => openRooms(minji, joon));
  const sliding = await step('B sees a window of two', () => begin(joon));
  await step('messages, typing and receipts come live', () => talk(minji, joon, rooms.three));
  await step('the window grows', () => grow(joon, sliding));
  await step('B subscribes to a room out of the window', () => subscribe(minji, joon, sliding, rooms.one));
  await step('an invitation comes, and the end of a stay', () => comeAndGo(minji, joon, sliding));
  await step('B signs out', () => joon.logout(true));
}

try {
  await journey();
  console.log('the js sliding journey passed');
} catch (error) {
  console.error(`the js sliding journey failed at: ${current}\n${error.stack ?? error}`);
  process.exitCode = 1;
}
running?.stopClient();
// Its timers outlive it, and would hold Node for two minutes.
process.exit();
