import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type LogEntry, toContext } from '../../conversation/log/log.ts';
import { DEFAULT_TENANT } from '../../protocol/events.ts';
import { readEvent } from '../../protocol/read-event.ts';
import { lockDirectory } from '../sqlite/lock.ts';
import { type IndexedMessage, MessageIndex } from './message-index.ts';
import type { MessageFilter } from './ranked-search.ts';

/** Instances that may share a folder. */
const MOST_FOLDERS = 64;
/** A file of another version is made anew. */
const VERSION = 2;
const SCHEMA = [
  '../sqlite/migrations/007-search.sql',
  '../sqlite/migrations/009-larger-parts.sql',
  './search-file.sql',
].map((name) => readFileSync(new URL(name, import.meta.url), 'utf8'));

/** Where a message stands. */
export interface Place {
  key: number;
  id: string;
  seq: number;
}

/** An index of messages in a file of this process alone. */
export class SearchFile {
  readonly index: MessageIndex;
  readonly #database: Database.Database;
  readonly #statements: ReturnType<typeof prepare>;
  readonly #release: () => void;

  constructor(database: Database.Database, release: () => void) {
    this.#database = database;
    this.#release = release;
    this.index = new MessageIndex(database);
    this.#statements = prepare(database);
  }

  /** Where to read on in the feed; undefined where all has to be read first. */
  get cursor(): string | undefined {
    return this.#statements.cursor.get() ?? undefined;
  }

  set cursor(cursor: string) {
    this.#statements.setCursor.run(cursor);
  }

  readTo(id: string): number {
    return this.#statements.find.get(id)?.read_to ?? 0;
  }

  /** Takes in the next entries of logs, as one. */
  add(logs: ReadonlyMap<string, readonly LogEntry[]>): void {
    this.#database.transaction(() => {
      for (const [id, entries] of logs) this.#add(id, entries);
    })();
  }

  remove(id: string): void {
    const { find, keys, removals } = this.#statements;
    this.#database.transaction(() => {
      const found = find.get(id);
      if (!found) return;
      this.index.remove(keys.all(found.key), true);
      for (const removal of removals) removal.run(found.key);
    })();
  }

  /** Goes on with wiping out what was removed; false where nothing is left of it. */
  tidy(): boolean {
    const isMore = this.#database.transaction(() => this.index.tidy())();
    if (!isMore) this.#database.pragma('wal_checkpoint(TRUNCATE)');
    return isMore;
  }

  newestKey(): number {
    return this.#statements.newest.get() ?? 0;
  }

  tenants(): string[] {
    return this.#statements.tenants.all();
  }

  places(keys: readonly number[]): Place[] {
    return this.#statements.places.all(JSON.stringify(keys));
  }

  filter(keys: readonly number[], { createdAfter, createdBefore, labels = {} }: MessageFilter): Set<number> {
    const wanted = Object.entries(labels);
    const sql = `SELECT m.key FROM json_each(?) CROSS JOIN messages m ON m.key = json_each.value
      WHERE m.at > ? AND m.at < ? ${wanted
        .map(
          () =>
            'AND EXISTS (SELECT 1 FROM labels WHERE conversation = m.conversation AND name = ? AND value = ?)',
        )
        .join(' ')}`;
    const span = [createdAfter?.getTime() ?? -Infinity, createdBefore?.getTime() ?? Infinity];
    const rows = this.#database.prepare<unknown[], number>(sql).pluck();
    return new Set(rows.all(JSON.stringify(keys), ...span, ...wanted.flat()));
  }

  close(): void {
    this.#database.close();
    this.#release();
  }

  #add(id: string, entries: readonly LogEntry[]): void {
    const { find, insert, label, message, keyOf, readTo } = this.#statements;
    const added: IndexedMessage[] = [];
    let row = find.get(id);
    for (const { seq, type, json } of entries) {
      // What another page brought already.
      if (seq !== (row?.read_to ?? 0) + 1) continue;
      if (type !== 'message' && type !== 'message.retracted' && row) {
        row.read_to = seq;
        continue;
      }
      const event = readEvent(json);
      if (event.type === 'conversation.created') {
        const tenant = event.tenant ?? DEFAULT_TENANT;
        const key = Number(insert.run(id, tenant).lastInsertRowid);
        for (const [name, value] of Object.entries(event.settings.metadata))
          label.run(key, name, String(value));
        row = { key, tenant, read_to: 0 };
      } else if (event.type === 'message' && row && !event.message.retracted) {
        const { sender, content } = toContext(event.message);
        const at = Date.parse(event.message.timestamp);
        const key = Number(message.run(row.key, seq, at).lastInsertRowid);
        added.push({ key, tenant: row.tenant, sender, content, at });
      } else if (event.type === 'message.retracted' && row) {
        this.index.add(added.splice(0));
        const key = keyOf.get(row.key, event.target);
        if (key !== undefined) this.index.remove([key], false);
      }
      if (row) row.read_to = seq;
    }
    this.index.add(added);
    if (row) readTo.run(row.read_to, row.key);
  }
}

/**
 * Opens an index that no other process uses, in a folder of its own below this one; where there is none that can be
 * used, an empty one in memory.
 *
 * @param isAnew whether what is there is thrown away
 */
export function openSearchFile(folder: string, isAnew = false): SearchFile {
  for (let number = 1; number <= MOST_FOLDERS; number++) {
    const own = join(folder, `search-${number}`);
    let lock: { release: () => void };
    try {
      mkdirSync(own, { recursive: true });
      lock = lockDirectory(own, `process ${process.pid}`);
    } catch {
      continue;
    }
    const path = join(own, 'search.sqlite');
    try {
      if (!isAnew) return new SearchFile(open(path), lock.release);
    } catch {
      // It is damaged, or another version's.
    }
    for (const ending of ['', '-wal', '-shm']) rmSync(path + ending, { force: true });
    return new SearchFile(open(path), lock.release);
  }
  return new SearchFile(open(':memory:'), () => {});
}

function open(path: string): Database.Database {
  const database = new Database(path);
  try {
    database.pragma('journal_mode = WAL');
    // What a power cut takes away is read again.
    database.pragma('synchronous = NORMAL');
    database.pragma('secure_delete = ON');
    const version = database.pragma('user_version', { simple: true });
    if (version !== 0 && version !== VERSION) throw new Error(`it is of version ${String(version)}`);
    if (version === 0) {
      database.transaction(() => {
        for (const sql of SCHEMA) database.exec(sql);
        database.pragma(`user_version = ${VERSION}`);
      })();
    }
    if (database.pragma('quick_check(1)', { simple: true }) !== 'ok') throw new Error('it is damaged');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

interface Row {
  key: number;
  tenant: string;
  read_to: number;
}

function prepare(database: Database.Database) {
  return {
    cursor: database.prepare<[], string | null>('SELECT cursor FROM progress').pluck(),
    setCursor: database.prepare<[string]>('UPDATE progress SET cursor = ?'),
    find: database.prepare<[string], Row>('SELECT key, tenant, read_to FROM conversations WHERE id = ?'),
    insert: database.prepare<[string, string]>(
      'INSERT INTO conversations (id, tenant, read_to) VALUES (?, ?, 0)',
    ),
    label: database.prepare<[number, string, string]>(
      'INSERT INTO labels (conversation, name, value) VALUES (?, ?, ?)',
    ),
    message: database.prepare<[number, number, number]>(
      'INSERT INTO messages (conversation, seq, at) VALUES (?, ?, ?)',
    ),
    keyOf: database
      .prepare<[number, number], number>('SELECT key FROM messages WHERE conversation = ? AND seq = ?')
      .pluck(),
    keys: database.prepare<[number], number>('SELECT key FROM messages WHERE conversation = ?').pluck(),
    readTo: database.prepare<[number, number]>('UPDATE conversations SET read_to = ? WHERE key = ?'),
    newest: database.prepare<[], number>('SELECT max(key) FROM messages').pluck(),
    tenants: database.prepare<[], string>('SELECT DISTINCT tenant FROM conversations').pluck(),
    places: database.prepare<[string], Place>(
      `SELECT m.key, c.id, m.seq FROM json_each(?) CROSS JOIN messages m ON m.key = json_each.value
       CROSS JOIN conversations c ON c.key = m.conversation`,
    ),
    removals: ['messages WHERE conversation', 'labels WHERE conversation', 'conversations WHERE key'].map(
      (rows) => database.prepare<[number]>(`DELETE FROM ${rows} = ?`),
    ),
  };
}
