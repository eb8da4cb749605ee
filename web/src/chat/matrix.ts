/** The few Matrix requests that need no running client. */
import { isPassing, refusalOf, Unreachable } from '../api/problems';
import { reachSignedIn } from '../net/fetch';

async function matrix<T>(method: string, path: string, body?: object): Promise<T> {
  const response = await reachSignedIn(`/_matrix/client/v3${path}`, {
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

const room = (roomId: string) => `/rooms/${encodeURIComponent(roomId)}`;

/** A chat of several: private, everybody invited. */
export async function createGroup(invite: string[], name: string): Promise<string> {
  const body = { preset: 'private_chat', invite, ...(name ? { name } : {}) };
  return (await matrix<{ room_id: string }>('POST', '/createRoom', body)).room_id;
}

export const joinRoom = (roomId: string) => matrix('POST', `${room(roomId)}/join`, {});
export const leaveRoom = (roomId: string) => matrix('POST', `${room(roomId)}/leave`, {});

/** Changes the person's name, here and in every chat they are in. */
export const changeName = (userId: string, displayname: string) =>
  matrix('PUT', `/profile/${encodeURIComponent(userId)}/displayname`, { displayname });

/** Tells the others that this person is writing, or no longer is. Never worth an error. */
export async function tellTyping(roomId: string, userId: string, typing: boolean): Promise<void> {
  const body = typing ? { typing, timeout: 8_000 } : { typing };
  await matrix('PUT', `${room(roomId)}/typing/${encodeURIComponent(userId)}`, body).catch(() => undefined);
}
