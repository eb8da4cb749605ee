// A stock Matrix client that looks at a window of its rooms only: matrix-js-sdk with its SlidingSync (MSC4186).
import { EventType, Preset } from 'matrix-js-sdk';
import { SlidingSync } from 'matrix-js-sdk/lib/sliding-sync.js';
import { run, same, signIn, step, until, users } from './js_steps.mjs';

const ROOMS = ['one', 'two', 'three'];

/** What this client wants to know of a room beside its timeline. */
const STATE = [
  ['m.room.create', ''],
  ['m.room.name', ''],
  ['m.room.member', '$ME'],
  ['m.room.member', '$LAZY'],
];

async function openRooms(minji, joon) {
  const rooms = {};
  for (const name of ROOMS) {
    const wish = {
      preset: Preset.PrivateChat,
      name,
      invite: [joon.getUserId()],
    };
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
  const sliding = new SlidingSync(
    joon.getHomeserverUrl(),
    new Map([['all', list]]),
    subscription,
    joon,
    5_000,
  );
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
  const { room_id: roomId } = await minji.createRoom({
    name: 'four',
    invite: [joon.getUserId()],
  });
  const membership = () => joon.getRoom(roomId)?.getMyMembership();
  await until('the invitation', () => membership() === 'invite');
  await joon.joinRoom(roomId);
  await until('to have joined', () => membership() === 'join');
  await minji.kick(roomId, joon.getUserId());
  await until('to have left', () => membership() === 'leave');
}

async function journey() {
  const [userA, userB] = users();
  const minji = await step('A signs in', () => signIn(userA));
  const joon = await step('B signs in', () => signIn(userB));
  const rooms = await step('three rooms are made', () => openRooms(minji, joon));
  const sliding = await step('B sees a window of two', () => begin(joon));
  await step('messages, typing and receipts come live', () => talk(minji, joon, rooms.three));
  await step('the window grows', () => grow(joon, sliding));
  await step('B subscribes to a room out of the window', () => subscribe(minji, joon, sliding, rooms.one));
  await step('an invitation comes, and the end of a stay', () => comeAndGo(minji, joon, sliding));
  await step('B signs out', () => joon.logout(true));
}

await run('js sliding', journey);
