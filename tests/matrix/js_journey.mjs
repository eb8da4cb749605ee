// A stock Matrix client's day: matrix-js-sdk signs in, talks, uploads, pages back, leaves and signs out.
import { Direction, EventType, Preset } from 'matrix-js-sdk';
import { logIn, refused, run, same, signIn, startSync, step, until, users } from './js_steps.mjs';

const MESSAGES = 30;
const HELLO = '점심 먹자';
const ANSWER = 'At half past twelve?';
const SLIP = 'a slip';

/** Signs in on a new device, and syncs until it knows the person's rooms. */
async function signInAndSync(user, options) {
  const client = await signIn(user);
  same('whoami', (await client.whoami()).device_id, client.getDeviceId());
  await startSync(client, options);
  return client;
}

/** What a client shows of a room, oldest first. */
const timeline = (client, roomId) => client.getRoom(roomId)?.getLiveTimeline().getEvents() ?? [];

/** The messages among it that are not redacted. */
const messages = (client, roomId) =>
  timeline(client, roomId).filter(
    (event) => event.getType() === EventType.RoomMessage && !event.isRedacted(),
  );
const bodies = (client, roomId) => messages(client, roomId).map((event) => event.getContent().body);

/** Waits until a client shows a message with this text. */
const heard = (client, roomId, body) =>
  until(`"${body}"`, () => messages(client, roomId).find((event) => event.getContent().body === body));

async function openRoom(minji, joon) {
  const { room_id: roomId } = await minji.createRoom({
    preset: Preset.PrivateChat,
    name: 'Lunch',
    invite: [joon.getUserId()],
    is_direct: true,
  });
  const invited = () => joon.getRoom(roomId)?.getMyMembership() === 'invite';
  await until('the invitation', invited);
  same('who invites', joon.getRoom(roomId).getDMInviter(), minji.getUserId());
  await joon.joinRoom(roomId);
  await until('the joined room', () => joon.getRoom(roomId)?.getMyMembership() === 'join');
  await until('both members', () => minji.getRoom(roomId)?.getJoinedMembers().length === 2);
  same("the room's name", joon.getRoom(roomId).name, 'Lunch');
  return roomId;
}

async function talk(minji, joon, roomId) {
  await minji.sendTextMessage(roomId, HELLO);
  same('who wrote', (await heard(joon, roomId, HELLO)).getSender(), minji.getUserId());
  await joon.sendTextMessage(roomId, ANSWER);
  same('who answered', (await heard(minji, roomId, ANSWER)).getSender(), joon.getUserId());
}

/** Writes many messages; each is shown at once, and still once when it comes back by the sync. */
async function echoes(minji, joon, roomId) {
  const written = Array.from({ length: MESSAGES }, (_, number) => `message ${number}`);
  for (const body of written) await minji.sendTextMessage(roomId, body);
  await heard(joon, roomId, written.at(-1));
  // An event loses its status when the server's own copy has taken its place.
  const settled = () => timeline(minji, roomId).every((event) => event.status === null);
  await until('the echoes', settled);
  const all = [HELLO, ANSWER, ...written];
  same('the messages at the writer', bodies(minji, roomId), all);
  same('the messages at the reader', bodies(joon, roomId), all);
}

async function receipts(minji, joon, roomId) {
  same('unread messages', joon.getRoom(roomId).getUnreadNotificationCount() > 0, true);
  const last = timeline(joon, roomId).at(-1);
  await joon.sendReadReceipt(last);
  await until('no unread message', () => joon.getRoom(roomId).getUnreadNotificationCount() === 0);
  const readUpTo = () => minji.getRoom(roomId).getEventReadUpTo(joon.getUserId());
  await until('the receipt', () => readUpTo() === last.getId());
}

async function typing(minji, joon, roomId) {
  const types = () => minji.getRoom(roomId).getMember(joon.getUserId())?.typing === true;
  await joon.sendTyping(roomId, true, 10_000);
  await until('typing', types);
  await joon.sendTyping(roomId, false, 0);
  await until('typing to end', () => !types());
}

async function redact(minji, joon, roomId) {
  const { event_id: eventId } = await minji.sendTextMessage(roomId, SLIP);
  await heard(joon, roomId, SLIP);
  await minji.redactEvent(roomId, eventId, undefined, { reason: 'a slip' });
  for (const client of [minji, joon])
    await until('the redaction', () => client.getRoom(roomId).findEventById(eventId)?.isRedacted());
  const stored = await joon.fetchRoomEvent(roomId, eventId);
  same('what is left of the message', stored.content, {});
}

/** A new device knows the last few events and finds all others. */
async function pageBack(user, roomId, wanted) {
  const client = await signInAndSync(user, { initialSyncLimit: 5 });
  const room = client.getRoom(roomId);
  const live = room.getLiveTimeline();
  if (live.getEvents().length > 5)
    throw new Error(`the first sync brought ${live.getEvents().length} events, not 5`);
  while (await client.paginateEventTimeline(live, { backwards: true, limit: 7 }));
  same('the first event', live.getEvents()[0].getType(), EventType.RoomCreate);
  same('a token before the start', live.getPaginationToken(Direction.Backward), null);
  same('all messages', bodies(client, roomId), wanted);
  const first = messages(client, roomId)[0].getId();
  const context = await client.getEventTimeline(room.getUnfilteredTimelineSet(), first);
  same(
    'one event with its context',
    context.getEvents().some((event) => event.getId() === first),
    true,
  );
  await client.logout(true);
}

async function media(minji, joon) {
  const picture = Buffer.alloc(1_000_000, Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)));
  const uploaded = await minji.uploadContent(picture, { name: '점심.png', type: 'image/png' });
  const address = joon.mxcUrlToHttp(uploaded.content_uri, undefined, undefined, undefined, false, true, true);
  const answer = await fetch(address, { headers: { authorization: `Bearer ${joon.getAccessToken()}` } });
  same('the download', answer.status, 200);
  same('the content type', answer.headers.get('content-type'), 'image/png');
  const found = Buffer.from(await answer.arrayBuffer());
  same('the downloaded bytes are the uploaded ones', found.equals(picture), true);
}

async function profile(minji, joon, roomId) {
  await minji.setDisplayName('Minji Kim');
  const name = () => joon.getRoom(roomId).getMember(minji.getUserId())?.name;
  await until('the new name in the room', () => name() === 'Minji Kim');
  const found = await joon.getProfileInfo(minji.getUserId());
  same('the new name in the profile', found.displayname, 'Minji Kim');
}

async function leave(minji, joon, roomId) {
  await joon.leave(roomId);
  const membership = () => minji.getRoom(roomId).getMember(joon.getUserId())?.membership;
  await until('the other to have left', () => membership() === 'leave');
  await refused('a message after leaving', 'M_FORBIDDEN', () => joon.sendTextMessage(roomId, 'still here?'));
  await joon.forget(roomId);
}

async function signOut(client) {
  await client.logout(true);
  await refused('a request after signing out', 'M_UNKNOWN_TOKEN', () => client.whoami());
}

async function journey() {
  const [userA, userB] = users();
  await step('a wrong password is refused', () =>
    refused('a wrong password', 'M_FORBIDDEN', () => logIn(userA, 'not the password')),
  );
  const options = { initialSyncLimit: 10, lazyLoadMembers: true };
  const minji = await step('A signs in', () => signInAndSync(userA, options));
  const joon = await step('B signs in', () => signInAndSync(userB, options));
  const roomId = await step('A invites B, who joins', () => openRoom(minji, joon));
  await step('messages go both ways, live', () => talk(minji, joon, roomId));
  await step('no echo is shown twice', () => echoes(minji, joon, roomId));
  await step('A sees what B has read', () => receipts(minji, joon, roomId));
  await step('A sees B type', () => typing(minji, joon, roomId));
  await step('A takes a message back', () => redact(minji, joon, roomId));
  const wanted = bodies(minji, roomId);
  await step('a new device pages back to the start', () => pageBack(userB, roomId, wanted));
  await step('B downloads what A uploaded', () => media(minji, joon));
  await step('B sees the new name of A', () => profile(minji, joon, roomId));
  await step('B leaves', () => leave(minji, joon, roomId));
  await step('both sign out', () => Promise.all([minji, joon].map(signOut)));
}

await run('js', journey);
