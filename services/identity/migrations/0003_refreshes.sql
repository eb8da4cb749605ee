-- How often a session's tokens were renewed, each time counted by itself: the generation skips those that a store lost.

ALTER TABLE identity_session ADD COLUMN refreshes BIGINT NOT NULL DEFAULT 0;
UPDATE identity_session SET refreshes = generation - 1;
