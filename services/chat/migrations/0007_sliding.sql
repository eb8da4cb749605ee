-- When something was last said in a room, by which a client's list of rooms is ordered (MSC4186). It stands beside the
-- room's position because it changes with it, in the same statement. It is a time and not a position: positions of
-- different streams cannot be compared.
ALTER TABLE chat_activity ADD COLUMN bumped_at BIGINT NOT NULL DEFAULT 0;
UPDATE chat_activity SET bumped_at = COALESCE((
    SELECT e.sent_at FROM chat_event e
    WHERE e.room_id = chat_activity.room_id AND e.position IS NOT NULL AND e.type IN ('m.room.create',
        'm.room.message', 'm.room.encrypted', 'm.sticker', 'm.call.invite', 'm.poll.start', 'm.beacon_info')
    ORDER BY e.position DESC LIMIT 1), 0);
