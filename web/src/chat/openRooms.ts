/** Open rooms: chats anybody may find and come into. */
import { matrix } from './matrix';
import { list, number, record, text } from './values';

export interface OpenRoom {
  roomId: string;
  name: string;
  topic: string;
  members: number;
  photo?: string;
}

const PAGE = 30;

export async function findOpenRooms(
  words: string,
  since?: string,
): Promise<{ rooms: OpenRoom[]; next?: string }> {
  const body = {
    limit: PAGE,
    ...(since ? { since } : {}),
    ...(words ? { filter: { generic_search_term: words } } : {}),
  };
  const answer = await matrix<Record<string, unknown>>('POST', '/publicRooms', body);
  return {
    rooms: list(answer.chunk)
      .map(openRoomOf)
      .filter((room) => room.roomId),
    next: text(answer.next_batch) || undefined,
  };
}

export async function createOpenRoom(name: string, topic: string): Promise<string> {
  const body = { preset: 'public_chat', visibility: 'public', name, ...(topic ? { topic } : {}) };
  return (await matrix<{ room_id: string }>('POST', '/createRoom', body)).room_id;
}

function openRoomOf(value: unknown): OpenRoom {
  const fields = record(value);
  const photo = text(fields.avatar_url);
  return {
    roomId: text(fields.room_id),
    name: text(fields.name).trim() || text(fields.canonical_alias) || text(fields.room_id),
    topic: text(fields.topic),
    members: number(fields.num_joined_members) ?? 0,
    ...(photo ? { photo } : {}),
  };
}
