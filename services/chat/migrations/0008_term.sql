-- In which term of leadership a stream's counter was last moved; 0 where nobody is elected. In each new term it leaps: a
-- host whose log did not survive may have shown positions that this counter knows nothing of.
ALTER TABLE chat_stream ADD COLUMN term BIGINT NOT NULL DEFAULT 0;
