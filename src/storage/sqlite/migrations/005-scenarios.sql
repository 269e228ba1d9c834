-- The scenarios that tenants keep of their own, as JSON.
CREATE TABLE scenarios (
  tenant TEXT NOT NULL,
  name   TEXT NOT NULL,
  json   TEXT NOT NULL,
  PRIMARY KEY (tenant, name)
) STRICT, WITHOUT ROWID;
