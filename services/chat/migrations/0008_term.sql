-- In which term of leadership a stream's counter was last moved. In each new term it leaps: what a standby showed of a
-- log that did not survive its primary may have used positions that this counter knows nothing of.
ALTER TABLE chat_stream ADD COLUMN term TEXT NOT NULL DEFAULT '';
