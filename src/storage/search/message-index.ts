import type Database from 'better-sqlite3';
import type { Term } from '../../conversation/search/query.ts';
import { indexedText, matchOf, TOKENIZER } from './part-query.ts';

/** Keys in one part. A search and a tidying work through a part at a time, so this bounds what is done at once. */
const PART_KEYS = 8192;
/** Pages of a part that are written anew at once. */
const TIDIED_PAGES = 250;
/** Parts whose statements are kept. */
const MOST_PREPARED = 4096;

/** What is indexed of a message. */
export interface IndexedMessage {
  /** Later messages have greater ones. */
  key: number;
  tenant: string;
  sender: string;
  content: string;
  /** Milliseconds since 1970. */
  at: number;
}

export interface Ranked {
  key: number;
  /** BM25; the smaller the better. */
  score: number;
}

/** Which messages of a part are asked for: the newest of a tenant that have all terms, below a key. */
interface Asked {
  tenant: string;
  terms: readonly Term[];
  sender?: string | undefined;
  belowKey: number;
}

interface Part {
  insert: Database.Statement;
  delete: Database.Statement;
  rank: Database.Statement<[string, number], Ranked>;
  find: Database.Statement<[string, number], number>;
}

/**
 * The full-text index of messages. Each part of the log has a table of its own, so that a search for a common word
 * is over when the newest part has enough of them, and a deletion leaves no trace as soon as its part is written
 * anew. Only the index is kept (https://sqlite.org/fts5.html#contentless_delete_tables): the words are in the log.
 */
export class MessageIndex {
  readonly #database: Database.Database;
  /** The longest prepared first. */
  readonly #parts = new Map<number, Part>();
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = prepare(database);
  }

  /** To be called within a transaction. */
  add(messages: readonly IndexedMessage[]): void {
    const spans = new Map<number, { from: number; to: number }>();
    for (const { key, tenant, sender, content, at } of messages) {
      const part = partOf(key);
      const span = spans.get(part);
      spans.set(part, { from: Math.min(at, span?.from ?? at), to: Math.max(at, span?.to ?? at) });
      if (!span) this.#make(part);
      this.#part(part).insert.run(key, indexedText(tenant, sender, content));
    }
    for (const [part, span] of spans) this.#statements.widen.run({ part, ...span });
  }

  /** Takes out messages; those that aren't there are passed over. Where they are also gone from the log, `tidy` is due. */
  remove(keys: readonly number[], isGone: boolean): void {
    const parts = new Set<number>();
    for (const key of keys) {
      const part = partOf(key);
      if (!this.#statements.exists.get(part)) continue;
      this.#part(part).delete.run(key);
      parts.add(part);
    }
    if (isGone) for (const part of parts) this.#statements.soil.run(part);
  }

  /**
   * Goes on with writing a part anew that has what was deleted, or is full and stays as it is. A step of it takes
   * about 10 ms. False where there was nothing to do.
   */
  tidy(): boolean {
    const { nextToTidy, changes, setTidying } = this.#statements;
    const next = nextToTidy.get();
    if (!next) return false;
    const { part, tidying } = next;
    const before = changes.get() ?? 0;
    // https://sqlite.org/fts5.html#the_merge_command: the negative number begins it, positive ones go on.
    const pages = tidying === 1 ? -TIDIED_PAGES : TIDIED_PAGES;
    const name = tableOf(part);
    this.#database.exec(`INSERT INTO ${name} (${name}, rank) VALUES ('merge', ${pages})`);
    const isDone = (changes.get() ?? 0) - before < 2;
    setTidying.run(isDone ? 0 : 2, part);
    return true;
  }

  /**
   * The parts with messages of a span of time, newest first, and whether all of a part's are within it. The times
   * are milliseconds since 1970, and both exclude their instant.
   */
  parts(belowKey: number, after: number, before: number): { part: number; isWithin: boolean }[] {
    const rows = this.#statements.parts.all({ last: partOf(belowKey - 1), after, before });
    return rows.map(({ part, isWithin }) => ({ part, isWithin: isWithin === 1 }));
  }

  /** Newest first. */
  rank(part: number, { tenant, belowKey, ...wanted }: Asked): Ranked[] {
    return this.#part(part).rank.all(matchOf(tenant, wanted), belowKey);
  }

  /** As `rank`, without the scores, which cost most. */
  find(part: number, { tenant, belowKey, ...wanted }: Asked): number[] {
    return this.#part(part).find.all(matchOf(tenant, wanted), belowKey);
  }

  #make(part: number): void {
    if (this.#statements.exists.get(part)) return;
    this.#database.exec(
      `CREATE VIRTUAL TABLE IF NOT EXISTS ${tableOf(part)}
       USING fts5 (words, content = '', contentless_delete = 1, ${TOKENIZER})`,
    );
    this.#statements.soilBefore.run(part);
  }

  #part(part: number): Part {
    let known = this.#parts.get(part);
    if (!known) {
      known = preparePart(this.#database, tableOf(part));
      this.#parts.set(part, known);
      if (this.#parts.size > MOST_PREPARED) this.#parts.delete(this.#parts.keys().next().value ?? part);
    }
    return known;
  }
}

function partOf(key: number): number {
  return Math.floor(key / PART_KEYS);
}

function tableOf(part: number): string {
  return `message_words_${part}`;
}

function prepare(database: Database.Database) {
  return {
    exists: database.prepare<[number], number>('SELECT 1 FROM message_parts WHERE part = ?').pluck(),
    widen: database.prepare<{ part: number; from: number; to: number }>(
      `INSERT INTO message_parts (part, earliest, latest) VALUES (:part, :from, :to)
       ON CONFLICT (part) DO UPDATE SET earliest = min(earliest, :from), latest = max(latest, :to)
       WHERE earliest > :from OR latest < :to`,
    ),
    parts: database.prepare<
      { last: number; after: number; before: number },
      { part: number; isWithin: 0 | 1 }
    >(
      `SELECT part, earliest > :after AND latest < :before AS isWithin FROM message_parts
       WHERE part <= :last AND latest > :after AND earliest < :before ORDER BY part DESC`,
    ),
    soil: database.prepare<[number]>('UPDATE message_parts SET tidying = 1 WHERE part = ?'),
    /** The part that was filled before this one. */
    soilBefore: database.prepare<[number]>(
      'UPDATE message_parts SET tidying = 1 WHERE part = (SELECT max(part) FROM message_parts WHERE part < ?)',
    ),
    nextToTidy: database.prepare<[], { part: number; tidying: 1 | 2 }>(
      'SELECT part, tidying FROM message_parts WHERE tidying > 0 ORDER BY part DESC LIMIT 1',
    ),
    setTidying: database.prepare<[number, number]>('UPDATE message_parts SET tidying = ? WHERE part = ?'),
    changes: database.prepare<[], number>('SELECT total_changes()').pluck(),
  };
}

function preparePart(database: Database.Database, name: string): Part {
  return {
    insert: database.prepare(`INSERT INTO ${name} (rowid, words) VALUES (?, ?)`),
    delete: database.prepare(`DELETE FROM ${name} WHERE rowid = ?`),
    rank: database.prepare(
      `SELECT rowid AS key, bm25(${name}) AS score FROM ${name} WHERE ${name} MATCH ? AND rowid < ?
       ORDER BY rowid DESC`,
    ),
    find: database
      .prepare<[string, number], number>(
        `SELECT rowid FROM ${name} WHERE ${name} MATCH ? AND rowid < ? ORDER BY rowid DESC`,
      )
      .pluck(),
  };
}
