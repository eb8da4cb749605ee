/** What a person wants to be bothered by: mute, keep at the top, block, report. */
import { session } from '../session/session.svelte';
import { matrix, roomPath, userPath } from './matrix';

/** A rule for the room that does nothing keeps it quiet; without one the usual rules hold. */
export async function mute(roomId: string, quiet: boolean): Promise<void> {
  const path = `/pushrules/global/room/${encodeURIComponent(roomId)}`;
  if (quiet) await matrix('PUT', path, { actions: [] });
  else await matrix('DELETE', path);
}

export async function keepAtTop(roomId: string, keep: boolean): Promise<void> {
  const path = `${userPath(session.userId)}${roomPath(roomId)}/tags/m.favourite`;
  if (keep) await matrix('PUT', path, { order: 0.5 });
  else await matrix('DELETE', path);
}

/** Sets the whole list of those whose messages are not to be seen. */
export async function blockOnly(userIds: Iterable<string>): Promise<void> {
  const ignored = Object.fromEntries([...userIds].map((userId) => [userId, {}]));
  const path = `${userPath(session.userId)}/account_data/m.ignored_user_list`;
  await matrix('PUT', path, { ignored_users: ignored });
}

/** Tells those who run the server about a message. */
export const report = (roomId: string, eventId: string, reason: string) =>
  matrix('POST', `${roomPath(roomId)}/report/${encodeURIComponent(eventId)}`, { score: -100, reason });
