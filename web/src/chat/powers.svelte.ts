/** Who may do what in a chat, by its power levels. */
import { session } from '../session/session.svelte';
import { connection } from './connection.svelte';
import type { PowerLevels } from './settings';
import { number } from './values';

export type Role = 'member' | 'moderator' | 'owner';
export const ROLE_LEVELS: Record<Role, number> = { member: 0, moderator: 50, owner: 100 };

export interface Powers {
  content: PowerLevels;
  mine: number;
  levelOf(userId: string): number;
  mayGiveRoles: boolean;
  mayRemove: boolean;
  mayName: boolean;
  mayShowPhoto: boolean;
  mayInvite: boolean;
}

export function powersIn(roomId: string): Powers {
  const room = connection.client?.getRoom(roomId);
  const state = room?.currentState;
  const content = (state?.getStateEvents('m.room.power_levels', '')?.getContent() ?? {}) as PowerLevels;
  // The room knows what its version grants whoever made it, beyond what is written down.
  const levelOf = (userId: string) => room?.getMember(userId)?.powerLevel ?? 0;
  const mine = levelOf(session.userId);
  const may = (type: string) => state?.maySendStateEvent(type, session.userId) ?? false;
  return {
    content,
    mine,
    levelOf,
    mayGiveRoles: may('m.room.power_levels'),
    mayRemove: mine >= (number(content.kick) ?? ROLE_LEVELS.moderator),
    mayName: may('m.room.name'),
    mayShowPhoto: may('m.room.avatar'),
    mayInvite: room?.canInvite(session.userId) ?? false,
  };
}

export function roleOf(powers: Powers, userId: string): Role {
  const level = powers.levelOf(userId);
  if (level >= ROLE_LEVELS.owner) return 'owner';
  return level >= ROLE_LEVELS.moderator ? 'moderator' : 'member';
}
