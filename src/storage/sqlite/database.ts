import { readdirSync, readFileSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { caseless } from '../../conversation/log/caseless.ts';
import { StorageError } from '../storage-error.ts';
import { pairsOf } from './topics.ts';

/** In the folder that one process holds. */
export const DATABASE_FILE = 'conversations.sqlite';
/** Marks the file as ours; "aicp" in ASCII. https://sqlite.org/pragma.html#pragma_application_id */
const APPLICATION_ID = 0x61696370;
/** Checking a file takes time with its size: below this many bytes it is checked whole at every start. */
const FULL_CHECK_BYTES = 64 * 1024 * 1024;
/** A larger file is read in its place. */
const MOST_COPIED_BYTES = 256 * 1024 * 1024;
const MIGRATIONS = new URL('./migrations/', import.meta.url);

/**
 * Opens the database for writing; makes it where there is none, and brings an older one up to date.
 *
 * @throws StorageError where the file is damaged, not ours, or of a newer version; it is then untouched
 */
export function openDatabase(path: string): Database.Database {
  const migrations = readMigrations();
  if (sizeOf(path) > 0) check(path, migrations.length);
  // SQLite throws away the log of a file that is empty.
  else if (sizeOf(`${path}-wal`) > 0) throw new StorageError(damaged(path, 'it is empty, its log is not'));
  try {
    const database = new Database(path);
    database.pragma('journal_mode = WAL');
    // A commit is acknowledged only after fsync: it survives a power cut, not just a killed process.
    database.pragma('synchronous = FULL');
    // Fewer and larger checkpoints: 16 MiB of log at 4 KiB a page, and 32 MiB of pages kept in memory.
    database.pragma('wal_autocheckpoint = 4000');
    database.pragma('cache_size = -32768');
    // What is deleted is overwritten, so that no trace stays in free pages.
    database.pragma('secure_delete = ON');
    defineFunctions(database);
    migrate(database, migrations);
    return database;
  } catch (error) {
    throw new StorageError(`${path} can't be written: ${oneLine(error)}`);
  }
}

/**
 * Opens the database for reading, also while another process writes to it. Where there is none, what is read is empty.
 *
 * @throws StorageError where the file is damaged, not ours, or of another version
 */
export function openDatabaseToRead(path: string): Database.Database {
  if (sizeOf(path) === 0) return openDatabase(':memory:');
  const { length: knownVersion } = readMigrations();
  check(path, knownVersion);
  const database = new Database(path, { readonly: true });
  defineFunctions(database);
  const version = database.pragma('user_version', { simple: true }) as number;
  if (version === knownVersion) return copied(database, path) ?? database;
  database.close();
  throw new StorageError(
    `${path} was written by an older version; start the server once to bring it up to date`,
  );
}

/** A copy in memory, whose search index can be brought up to date; undefined where that would take too much. */
function copied(database: Database.Database, path: string): Database.Database | undefined {
  if (sizeOf(path) + sizeOf(`${path}-wal`) > MOST_COPIED_BYTES) return undefined;
  const image = database.serialize();
  database.close();
  // What is in memory has no log beside it: https://sqlite.org/fileformat2.html#file_format_version_numbers
  image.fill(1, 18, 20);
  const copy = new Database(image);
  defineFunctions(copy);
  return copy;
}

function defineFunctions(database: Database.Database): void {
  database.function('fold', { deterministic: true }, (text) => caseless(String(text)));
  database.function('pairs', { deterministic: true }, (text) => pairsOf(String(text)));
}

function readMigrations(): string[] {
  return readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith('.sql'))
    .sort()
    .map((name) => readFileSync(new URL(name, MIGRATIONS), 'utf8'));
}

function migrate(database: Database.Database, migrations: readonly string[]): void {
  const version = database.pragma('user_version', { simple: true }) as number;
  for (const [index, sql] of migrations.entries()) {
    if (index < version) continue;
    database.transaction(() => {
      database.exec(sql);
      database.pragma(`application_id = ${APPLICATION_ID}`);
      database.pragma(`user_version = ${index + 1}`);
    })();
  }
}

function check(path: string, knownVersion: number): void {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { readonly: true });
    const applicationId = database.pragma('application_id', { simple: true });
    const version = database.pragma('user_version', { simple: true }) as number;
    const empty = database.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0;
    // A first start that was killed leaves a file with nothing in it yet.
    if (empty && applicationId === 0 && version === 0) return;
    if (applicationId !== APPLICATION_ID) {
      throw new StorageError(`${path} is a database of something else; move it away or change DATA_DIR`);
    }
    if (version > knownVersion) {
      throw new StorageError(
        `${path} was written by a newer version (schema ${version}, this one knows up to ${knownVersion}); ` +
          'start that version, or restore a backup from before it',
      );
    }
    const pages = (database.pragma('page_count', { simple: true }) as number) || 0;
    const pageSize = database.pragma('page_size', { simple: true }) as number;
    if (pages * pageSize <= FULL_CHECK_BYTES) {
      const verdict = database.pragma('quick_check(1)', { simple: true });
      if (verdict !== 'ok') throw new StorageError(damaged(path, oneLine(verdict)));
      // The end of a long text has a page of its own, which that check doesn't look into.
      const events = database.prepare('SELECT count(*) FROM events WHERE NOT json_valid(json)').pluck();
      if (events.get() !== 0) throw new StorageError(damaged(path, 'there are events that are not readable'));
    } else {
      database
        .prepare('SELECT count(*) FROM (SELECT 1 FROM conversations ORDER BY key DESC LIMIT 100)')
        .get();
      database.prepare('SELECT json FROM events ORDER BY key DESC LIMIT 1').get();
    }
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw new StorageError(damaged(path, oneLine(error)));
  } finally {
    database?.close();
  }
}

export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function damaged(path: string, verdict: string): string {
  return `${path} is damaged (${verdict}); restore a backup, or move the file away to begin anew`;
}

function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').trim();
}
