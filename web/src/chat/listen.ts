/** What of the Matrix library's events the app follows. */
import type { MatrixClient, MatrixEvent, Room } from 'matrix-js-sdk';

export interface Ears {
  /** Something in this room changed; an empty id: something about all rooms. */
  touch(roomId: string): void;
  synced(fromCache: boolean): void;
  /** Something happened just now. */
  event(event: MatrixEvent, room: Room): void;
  loggedOut(): void;
}

export function listen(sdk: typeof import('matrix-js-sdk'), client: MatrixClient, ears: Ears): void {
  const touch = (room: Room | undefined) => room && ears.touch(room.roomId);
  const touchAll = () => {
    for (const room of client.getRooms()) ears.touch(room.roomId);
  };
  client.on(sdk.ClientEvent.Sync, (state, _before, data) => {
    if (state === 'PREPARED' || state === 'SYNCING') ears.synced(data?.fromCache === true);
  });
  client.on(sdk.ClientEvent.Room, touch);
  client.on(sdk.ClientEvent.DeleteRoom, (roomId) => ears.touch(roomId));
  client.on(sdk.RoomEvent.Timeline, (event, room, toStart, _removed, data) => {
    touch(room);
    if (room && !toStart && data.liveEvent) ears.event(event, room);
  });
  client.on(sdk.RoomEvent.Receipt, (_event, room) => touch(room));
  client.on(sdk.RoomEvent.Name, touch);
  client.on(sdk.RoomEvent.Tags, (_event, room) => touch(room));
  client.on(sdk.RoomEvent.MyMembership, touch);
  client.on(sdk.RoomEvent.Redaction, (_event, room) => touch(room));
  client.on(sdk.RoomEvent.TimelineReset, touch);
  client.on(sdk.RoomStateEvent.Members, (_event, state) => ears.touch(state.roomId));
  client.on(sdk.RoomStateEvent.Events, (_event, state) => ears.touch(state.roomId));
  client.on(sdk.RoomMemberEvent.Typing, (_event, member) => ears.touch(member.roomId));
  client.on(sdk.MatrixEventEvent.Decrypted, (event) => ears.touch(event.getRoomId() ?? ''));
  client.on(sdk.ClientEvent.AccountData, (event) => {
    // Who is blocked and what is muted shows in every chat.
    if (event.getType() === 'm.ignored_user_list' || event.getType() === 'm.push_rules') touchAll();
  });
  client.on(sdk.HttpApiEvent.SessionLoggedOut, () => ears.loggedOut());
}
