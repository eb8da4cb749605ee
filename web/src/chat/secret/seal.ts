/** Encrypts what goes into a secret chat, for the devices of those who are in it. */
import type { MatrixEvent, Room } from 'matrix-js-sdk';
import { Unreachable } from '../../api/problems';
import { connection } from '../connection.svelte';

/** The part of the library's encryption that seals one event. Its public face only seals and sends in one. */
interface Sealer {
  encryptEvent(event: MatrixEvent, room: Room): Promise<void>;
}

interface Sealable {
  roomId: string;
  secret?: boolean;
}

/** Whether nothing may leave the device unsealed: by what was known when it was written, or is known now. */
export function mustSeal(entry: Sealable): boolean {
  return (
    entry.secret === true || connection.client?.getRoom(entry.roomId)?.hasEncryptionStateEvent() === true
  );
}

/** The encrypted event. A reaction says in the open what it is and where it belongs, so it stays as it is. */
export async function seal(roomId: string, type: string, content: Record<string, unknown>) {
  if (type === 'm.reaction') return { type, content };
  await connection.withSecrets();
  const { client } = connection;
  const room = client?.getRoom(roomId);
  const sealer = client?.getCrypto() as unknown as Sealer | undefined;
  if (!client || !room || !sealer) throw new Unreachable('encryption is not ready');
  const sdk = await import('matrix-js-sdk');
  const event = new sdk.MatrixEvent({ room_id: roomId, sender: client.getUserId() ?? '', type, content });
  try {
    await sealer.encryptEvent(event, room);
  } catch (error) {
    // Keys of the others are asked for on the way: without an answer it is tried again.
    throw new Unreachable(error);
  }
  return { type: event.getWireType(), content: event.getWireContent() as Record<string, unknown> };
}
