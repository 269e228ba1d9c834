CREATE TABLE IF NOT EXISTS webhooks (
  id     TEXT PRIMARY KEY,
  tenant TEXT NOT NULL,
  json   TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS webhooks_by_tenant ON webhooks (tenant, id);

-- One row: how far the feed over all conversations was read.
CREATE TABLE IF NOT EXISTS feed (
  one    INTEGER PRIMARY KEY CHECK (one = 1),
  cursor TEXT,
  hand   TEXT NOT NULL,
  until  INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS places (
  webhook      TEXT NOT NULL,
  conversation TEXT NOT NULL,
  position     INTEGER NOT NULL,
  -- The last seq that the feed told of.
  grown        INTEGER NOT NULL,
  -- -1: the conversation has ended and all was told; the row goes when the feed has told of all that, too.
  tries        INTEGER NOT NULL,
  -- Null where there is nothing to do.
  due          INTEGER,
  hand         TEXT,
  PRIMARY KEY (webhook, conversation)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS places_due ON places (webhook, due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS places_by_conversation ON places (conversation);

CREATE TABLE IF NOT EXISTS replays (
  webhook TEXT PRIMARY KEY,
  json    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS deliveries (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  webhook      TEXT NOT NULL,
  id           TEXT NOT NULL,
  conversation TEXT,
  json         TEXT NOT NULL,
  UNIQUE (webhook, id)
) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_by_webhook ON deliveries (webhook, key);
CREATE INDEX IF NOT EXISTS deliveries_by_conversation ON deliveries (conversation);
