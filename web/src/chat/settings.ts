/** What a chat is called, shows and allows: its state, and who is in it. */
import { upload } from '../outbox/upload';
import { matrix, roomPath } from './matrix';

const state = (roomId: string, type: string, content: object) =>
  matrix('PUT', `${roomPath(roomId)}/state/${type}/`, content);

export const nameChat = (roomId: string, name: string) => state(roomId, 'm.room.name', { name });

export async function changePhoto(roomId: string, photo: Blob): Promise<void> {
  await state(roomId, 'm.room.avatar', { url: await upload(photo, 'photo', () => undefined) });
}

/** Puts these events up at the top of the chat, the newest last. */
export const announce = (roomId: string, pinned: string[]) =>
  state(roomId, 'm.room.pinned_events', { pinned });

export const invite = (roomId: string, userId: string) =>
  matrix('POST', `${roomPath(roomId)}/invite`, { user_id: userId });
export const remove = (roomId: string, userId: string) =>
  matrix('POST', `${roomPath(roomId)}/kick`, { user_id: userId });

export type PowerLevels = Record<string, unknown> & { users?: Record<string, number> };

/** Gives a member a role. `levels` is what the chat has now; the rest of it stays. */
export const giveRole = (roomId: string, levels: PowerLevels, userId: string, level: number) =>
  state(roomId, 'm.room.power_levels', { ...levels, users: { ...levels.users, [userId]: level } });
