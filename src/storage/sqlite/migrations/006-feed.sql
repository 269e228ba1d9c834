-- The feed over all conversations is the order of the events' keys. What no row of an event tells (removals) has its
-- key of the same order here. Keys are given by the writer and never twice, which those of a table alone would be
-- when its last row was removed.
CREATE TABLE feed (
  key    INTEGER PRIMARY KEY,
  kind   TEXT NOT NULL,
  tenant TEXT NOT NULL,
  id     TEXT NOT NULL
) STRICT;
-- It keeps the newest rows. The oldest of all says that none is gone yet.
INSERT INTO feed (key, kind, tenant, id) VALUES (0, 'began', '', '');
