import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { remakeWordTables } from './word-tables.ts';

const SCHEMA = new URL('./schema.sql', import.meta.url);
/** Marks the file as ours: "aick" in ASCII. */
const APPLICATION_ID = 0x6169636b;

/** What makes a file of version n, from 1, one of version n + 1. */
const UPGRADES: readonly ((database: Database.Database) => void)[] = [
  (database) =>
    database.exec(`CREATE TABLE space (id TEXT NOT NULL) STRICT;
      INSERT INTO space (id) VALUES (lower(hex(randomblob(16))));
      CREATE TABLE placed (
        tenant TEXT NOT NULL, collection TEXT NOT NULL, hash BLOB NOT NULL, model TEXT NOT NULL,
        PRIMARY KEY (tenant, collection, hash, model)
      ) STRICT, WITHOUT ROWID;`),
  remakeWordTables,
];
/** How long one thread waits for the other, in milliseconds: while the file is made, and then. */
const [REMADE_WITHIN_MS, BUSY_WITHIN_MS] = [600_000, 5000];
const VERSION = UPGRADES.length + 1;

/** Opens the file that holds documents and their words; makes it where there is none, and anew what is older. */
export function openIndexFile(path: string, isDurable: boolean): Database.Database {
  // Whoever waits for the other thread to make the file anew waits until it is done.
  const database = new Database(path, { timeout: REMADE_WITHIN_MS });
  database.pragma('journal_mode = WAL');
  // As the log: what is acknowledged survives a power cut.
  database.pragma(`synchronous = ${isDurable ? 'FULL' : 'OFF'}`);
  database.pragma('secure_delete = ON');
  const versionOf = (): number => database.pragma('user_version', { simple: true }) as number;
  // Two threads open it at the same time.
  const make = database.transaction(() => {
    const version = versionOf();
    if (version === 0) {
      database.exec(readFileSync(SCHEMA, 'utf8'));
      database.pragma(`application_id = ${APPLICATION_ID}`);
    } else for (const upgrade of UPGRADES.slice(version - 1)) upgrade(database);
    database.pragma(`user_version = ${VERSION}`);
  });
  if (versionOf() < VERSION) make.immediate();
  database.pragma(`busy_timeout = ${BUSY_WITHIN_MS}`);
  const version = versionOf();
  if (version > VERSION) {
    database.close();
    throw new Error(
      `${path} was written by a newer version (schema ${version}, this one knows up to ${VERSION})`,
    );
  }
  return database;
}
