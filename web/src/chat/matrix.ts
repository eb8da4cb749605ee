/** The Matrix requests that need no running client. Each is the whole act: asked twice, it is done once. */
import { isPassing, refusalOf, Unreachable } from '../api/problems';
import { reachSignedIn } from '../net/fetch';

const CLIENT = '/_matrix/client/v3';

/** Asks a route that the OpenAPI document does not describe. Answers its JSON. */
export async function ask<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await reachSignedIn(path, {
    method,
    headers: body ? { 'Content-Type': 'application/json' } : undefined,
    body: body && JSON.stringify(body),
  });
  if (isPassing(response.status) && response.status !== 429)
    throw new Unreachable(`status ${response.status}`);
  const answer: unknown = await response.json().catch(() => null);
  if (!response.ok) throw refusalOf(response.status, answer);
  return answer as T;
}

export const matrix = <T>(method: string, path: string, body?: object) => ask<T>(method, CLIENT + path, body);

export const roomPath = (roomId: string) => `/rooms/${encodeURIComponent(roomId)}`;
export const userPath = (userId: string) => `/user/${encodeURIComponent(userId)}`;

interface NewRoom {
  room_id: string;
}

/** A chat of several: private, everybody invited. */
export async function createGroup(invite: string[], name: string): Promise<string> {
  const body = { preset: 'private_chat', invite, ...(name ? { name } : {}) };
  return (await matrix<NewRoom>('POST', '/createRoom', body)).room_id;
}

/** A secret chat of two: encrypted from its first message, and for ever. */
export async function createSecret(userId: string): Promise<string> {
  const encryption = { algorithm: 'm.megolm.v1.aes-sha2' };
  const body = {
    preset: 'trusted_private_chat',
    is_direct: true,
    invite: [userId],
    initial_state: [{ type: 'm.room.encryption', state_key: '', content: encryption }],
  };
  return (await matrix<NewRoom>('POST', '/createRoom', body)).room_id;
}

export const joinRoom = (roomId: string) => matrix('POST', `${roomPath(roomId)}/join`, {});
export const leaveRoom = (roomId: string) => matrix('POST', `${roomPath(roomId)}/leave`, {});

/** Changes the person's name, here and in every chat they are in. */
export const changeName = (userId: string, displayname: string) =>
  matrix('PUT', `/profile/${encodeURIComponent(userId)}/displayname`, { displayname });

/** Tells the others that this person is writing, or no longer is. Never worth an error. */
export async function tellTyping(roomId: string, userId: string, typing: boolean): Promise<void> {
  const body = typing ? { typing, timeout: 8_000 } : { typing };
  await matrix('PUT', `${roomPath(roomId)}/typing/${encodeURIComponent(userId)}`, body).catch(
    () => undefined,
  );
}
