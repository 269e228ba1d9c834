-- Tenants; what a record has beyond its columns; the index of what lists are filtered by; the money of each day.
ALTER TABLE conversations ADD COLUMN tenant TEXT NOT NULL DEFAULT 'default';
ALTER TABLE conversations ADD COLUMN details TEXT; -- JSON: pause, outcome, retracted, proposal; NULL where it has none of them
ALTER TABLE conversations ADD COLUMN last_speaker TEXT;
CREATE INDEX conversations_by_tenant ON conversations (tenant, key);

-- Providers of agents under the name 'provider', and entries of the metadata under 'label.NAME', as texts.
CREATE TABLE facets (
  tenant       TEXT    NOT NULL,
  name         TEXT    NOT NULL,
  value        TEXT    NOT NULL,
  conversation INTEGER NOT NULL,
  PRIMARY KEY (tenant, name, value, conversation)
) STRICT, WITHOUT ROWID;
CREATE INDEX facets_by_conversation ON facets (conversation);
CREATE INDEX facets_of_all_tenants ON facets (name, value, conversation);
INSERT INTO facets (tenant, name, value, conversation)
  SELECT 'default', 'provider', provider, conversation FROM conversation_providers;
INSERT INTO facets (tenant, name, value, conversation)
  SELECT 'default', 'label.' || m.key,
    CASE m.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(m.value AS TEXT) END, e.conversation
  FROM events e, json_each(e.json, '$.settings.metadata') m WHERE e.seq = 1;
DROP TABLE conversation_providers;

-- What calls have cost by day (UTC), whatever became of them and of their conversations.
CREATE TABLE spending (
  day      TEXT PRIMARY KEY,
  cost_usd REAL NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO spending (day, cost_usd)
  SELECT date('now'), ifnull(sum(json ->> '$.message.metadata.costUsd'), 0) FROM events
  WHERE conversation IN (
      SELECT key FROM conversations
      WHERE ended_at IS NULL OR ended_at >= CAST(strftime('%s', 'now', 'start of day') AS INTEGER) * 1000
    )
    AND type = 'message' AND json ->> '$.at' >= date('now');
