-- The collections of all tenants. Their words are in a full-text table of their own each, words_KEY, so that what is
-- found, how it is ranked and what it costs depends on nobody else's documents.
CREATE TABLE collections (
  key      INTEGER PRIMARY KEY AUTOINCREMENT,
  tenant   TEXT    NOT NULL,
  name     TEXT    NOT NULL,
  -- Of all its passages together.
  passages INTEGER NOT NULL DEFAULT 0,
  words    INTEGER NOT NULL DEFAULT 0,
  UNIQUE (tenant, name)
) STRICT;

CREATE TABLE documents (
  key        INTEGER PRIMARY KEY,
  collection INTEGER NOT NULL,
  id         TEXT    NOT NULL,
  title      TEXT    NOT NULL,
  format     TEXT    NOT NULL,
  url        TEXT,
  metadata   TEXT,
  created_at INTEGER NOT NULL,
  passages   INTEGER NOT NULL,
  -- UTF-16 units, which SQLite doesn't count in.
  characters INTEGER NOT NULL,
  text       TEXT    NOT NULL,
  UNIQUE (collection, id)
) STRICT;

-- Offsets are UTF-16 units of the document's text; the passage's own text stands here, too, since SQLite would count
-- from the beginning of the whole for each.
CREATE TABLE passages (
  key        INTEGER PRIMARY KEY,
  collection INTEGER NOT NULL,
  document   INTEGER NOT NULL,
  number     INTEGER NOT NULL,
  start      INTEGER NOT NULL,
  stop       INTEGER NOT NULL,
  -- The title, and the headings that it stands under.
  heading    TEXT    NOT NULL,
  text       TEXT    NOT NULL,
  -- Its words and the heading's, as searches compare them, with a space before and behind each.
  folded     TEXT    NOT NULL,
  words      INTEGER NOT NULL,
  -- Of what is embedded.
  hash       BLOB    NOT NULL
) STRICT;
CREATE INDEX passages_by_document ON passages (document);
CREATE INDEX passages_by_collection ON passages (collection);
CREATE INDEX passages_by_hash ON passages (hash);

-- Idempotency keys, hashed.
CREATE TABLE requests (
  tenant     TEXT    NOT NULL,
  key        TEXT    NOT NULL,
  body_hash  TEXT    NOT NULL,
  collection TEXT    NOT NULL,
  document   TEXT    NOT NULL,
  made_at    INTEGER NOT NULL,
  PRIMARY KEY (tenant, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_age ON requests (made_at);
CREATE INDEX requests_by_document ON requests (tenant, collection, document);

-- Vectors by what they are of and the model that made them: what was embedded once is not again.
CREATE TABLE vectors (
  hash   BLOB NOT NULL,
  model  TEXT NOT NULL,
  vector BLOB NOT NULL,
  PRIMARY KEY (hash, model)
) STRICT, WITHOUT ROWID;

-- Tells what this file has placed elsewhere from what others have there.
CREATE TABLE space (id TEXT NOT NULL) STRICT;
INSERT INTO space (id) VALUES (lower(hex(randomblob(16))));

-- Which vectors are kept elsewhere. Without keys of other tables: it tells what is to be removed there, too.
CREATE TABLE placed (
  tenant     TEXT NOT NULL,
  collection TEXT NOT NULL,
  hash       BLOB NOT NULL,
  model      TEXT NOT NULL,
  PRIMARY KEY (tenant, collection, hash, model)
) STRICT, WITHOUT ROWID;
