-- Vectors of passages, of one or several servers, each with a space of its own. Without an index for what is near:
-- those of a collection are all compared, which is exact, and of several collections none would know them apart.
CREATE TABLE IF NOT EXISTS aic_vectors (
  space      text        NOT NULL,
  model      text        NOT NULL,
  hash       bytea       NOT NULL,
  tenant     text        NOT NULL,
  collection text        NOT NULL,
  vector     vector      NOT NULL,
  -- When somebody last had use for it.
  kept_at    timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (space, model, hash, tenant, collection)
);
CREATE INDEX IF NOT EXISTS aic_vectors_by_collection ON aic_vectors (space, tenant, collection, model);
