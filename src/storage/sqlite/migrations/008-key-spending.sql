-- What the conversations that each API key made have taken in a day (UTC, 2026-01-31).
CREATE TABLE key_spending (
  day      TEXT    NOT NULL,
  key      TEXT    NOT NULL,
  tokens   INTEGER NOT NULL,
  cost_usd REAL    NOT NULL,
  PRIMARY KEY (day, key)
) STRICT, WITHOUT ROWID;
