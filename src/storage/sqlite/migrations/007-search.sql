-- What the index of messages' words (src/storage/search/) keeps beside its tables, of which each part of the log has
-- one: message_words_PART.

CREATE TABLE message_parts (
  part     INTEGER PRIMARY KEY,
  earliest INTEGER NOT NULL,            -- between which times its messages were said; milliseconds since 1970
  latest   INTEGER NOT NULL,
  tidying  INTEGER NOT NULL DEFAULT 0   -- 1: it is to be written anew, without what was deleted; 2: that has begun
) STRICT;
CREATE INDEX message_parts_to_tidy ON message_parts (part) WHERE tidying > 0;

-- The key of the last event that the index has followed the log to.
CREATE TABLE search_progress (
  one  INTEGER PRIMARY KEY CHECK (one = 1),
  done INTEGER NOT NULL
) STRICT;
INSERT INTO search_progress (one, done) VALUES (1, 0);
