-- Parts of the index of messages' words have more of the log each, and name the words that they keep the pairs of. The
-- index is made anew from the log; the tables that it had are dropped one after the other.

CREATE TABLE search_leftovers (name TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
INSERT INTO search_leftovers (name)
  SELECT name FROM sqlite_schema
  WHERE type = 'table' AND name GLOB 'message_words_[0-9]*' AND sql LIKE 'CREATE VIRTUAL TABLE%';

DROP TABLE message_parts;
CREATE TABLE message_parts (
  part     INTEGER PRIMARY KEY,         -- its words are in message_terms_PART
  earliest INTEGER NOT NULL,            -- between which times its messages were said; milliseconds since 1970
  latest   INTEGER NOT NULL,
  common   TEXT    NOT NULL,            -- JSON: the words of which pairs are kept
  tidying  INTEGER NOT NULL DEFAULT 0   -- 1: it is to be written anew, without what was deleted; 2: that has begun
) STRICT;
CREATE INDEX message_parts_to_tidy ON message_parts (part) WHERE tidying > 0;
UPDATE search_progress SET done = 0;
