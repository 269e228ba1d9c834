-- What an instance keeps of the messages that are in Redis, beside the index of their words; it can always be made anew.
CREATE TABLE conversations (
  key     INTEGER PRIMARY KEY,
  id      TEXT    NOT NULL UNIQUE,
  tenant  TEXT    NOT NULL,
  read_to INTEGER NOT NULL            -- the seq up to which its log was read
) STRICT;
CREATE INDEX conversations_by_tenant ON conversations (tenant);
CREATE TABLE labels (
  conversation INTEGER NOT NULL,
  name         TEXT    NOT NULL,
  value        TEXT    NOT NULL,
  PRIMARY KEY (conversation, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE messages (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  conversation INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  at           INTEGER NOT NULL       -- milliseconds since 1970
) STRICT;
CREATE UNIQUE INDEX messages_by_conversation ON messages (conversation, seq);
-- Where to read on in the feed; null where all has to be read first.
CREATE TABLE progress (one INTEGER PRIMARY KEY CHECK (one = 1), cursor TEXT) STRICT;
INSERT INTO progress (one, cursor) VALUES (1, NULL);
