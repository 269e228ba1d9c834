import type Database from 'better-sqlite3';
import type { Term } from '../../conversation/search/query.ts';
import { wordsOf } from '../../conversation/search/words.ts';
import { CommonWords, WordSet } from './common-words.ts';
import { indexedText, matchOf, TOKENIZER } from './part-query.ts';

/**
 * Keys in one part. Each part that a search goes through takes some time whatever it has, and so does each message of a
 * part that is written anew after a deletion.
 */
const PART_KEYS = 65_536;
/** Of so many messages one tells which words are common. */
const SAMPLED = 32;
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
  limit: number;
}

interface Part {
  common: WordSet;
  insert: Database.Statement;
  delete: Database.Statement;
  rank: Database.Statement<[string, number, number], Ranked>;
  find: Database.Statement<[string, number, number], number>;
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
  readonly #partKeys: number;
  readonly #commonWords = new CommonWords();

  /** @param partKeys keys of the log in one part; always the same for a database */
  constructor(database: Database.Database, partKeys = PART_KEYS) {
    this.#database = database;
    this.#partKeys = partKeys;
    this.#statements = prepare(database);
  }

  /** To be called within a transaction. */
  add(messages: readonly IndexedMessage[]): void {
    const spans = new Map<number, { from: number; to: number }>();
    for (const message of messages) {
      const { key, at } = message;
      const part = this.#partOf(key);
      const span = spans.get(part);
      spans.set(part, { from: Math.min(at, span?.from ?? at), to: Math.max(at, span?.to ?? at) });
      if (!span) this.#make(part, at);
      const words = wordsOf(message.content).map(({ word }) => word);
      if (key % SAMPLED === 0) this.#commonWords.see(words);
      const { insert, common } = this.#part(part);
      insert.run(key, indexedText(message, words, common));
    }
    for (const [part, span] of spans) this.#statements.widen.run({ part, ...span });
  }

  /** Takes out messages; those that aren't there are passed over. Where they are also gone from the log, `tidy` is due. */
  remove(keys: readonly number[], isGone: boolean): void {
    const parts = new Set<number>();
    for (const key of keys) {
      const part = this.#partOf(key);
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
    if (!next) return this.#dropLeftover();
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
    const rows = this.#statements.parts.all({ last: this.#partOf(belowKey - 1), after, before });
    return rows.map(({ part, isWithin }) => ({ part, isWithin: isWithin === 1 }));
  }

  /** Newest first. */
  rank(part: number, { tenant, belowKey, limit, ...wanted }: Asked): Ranked[] {
    const { rank, common } = this.#part(part);
    return rank.all(matchOf(tenant, wanted, common), belowKey, limit);
  }

  /** As `rank`, without the scores, which cost most. */
  find(part: number, { tenant, belowKey, limit, ...wanted }: Asked): number[] {
    const { find, common } = this.#part(part);
    return find.all(matchOf(tenant, wanted, common), belowKey, limit);
  }

  #partOf(key: number): number {
    return Math.floor(key / this.#partKeys);
  }

  #make(part: number, at: number): void {
    const { exists, commonBefore, make } = this.#statements;
    if (exists.get(part)) return;
    // What is known of a part whose making was rolled back.
    this.#parts.delete(part);
    const common = this.#commonWords.most();
    make.run(part, at, at, common ? JSON.stringify(common) : (commonBefore.get(part) ?? '[]'));
    this.#database.exec(
      `CREATE VIRTUAL TABLE IF NOT EXISTS ${tableOf(part)}
       USING fts5 (words, content = '', contentless_delete = 1, ${TOKENIZER})`,
    );
    this.#statements.soilBefore.run(part);
  }

  /** A table that the index had before it was made anew. */
  #dropLeftover(): boolean {
    const { leftover, forgetLeftover } = this.#statements;
    const name = leftover.get();
    if (name === undefined) return false;
    this.#database.exec(`DROP TABLE IF EXISTS ${name}`);
    forgetLeftover.run(name);
    return true;
  }

  #part(part: number): Part {
    let known = this.#parts.get(part);
    if (!known) {
      const common = JSON.parse(this.#statements.common.get(part) ?? '[]') as string[];
      known = { common: new WordSet(common), ...preparePart(this.#database, tableOf(part)) };
      this.#parts.set(part, known);
      if (this.#parts.size > MOST_PREPARED) this.#parts.delete(this.#parts.keys().next().value ?? part);
    }
    return known;
  }
}

function tableOf(part: number): string {
  return `message_terms_${part}`;
}

function prepare(database: Database.Database) {
  return {
    exists: database.prepare<[number], number>('SELECT 1 FROM message_parts WHERE part = ?').pluck(),
    common: database.prepare<[number], string>('SELECT common FROM message_parts WHERE part = ?').pluck(),
    commonBefore: database
      .prepare<[number], string>('SELECT common FROM message_parts WHERE part < ? ORDER BY part DESC LIMIT 1')
      .pluck(),
    make: database.prepare<[number, number, number, string]>(
      'INSERT INTO message_parts (part, earliest, latest, common) VALUES (?, ?, ?, ?)',
    ),
    widen: database.prepare<{ part: number; from: number; to: number }>(
      `UPDATE message_parts SET earliest = min(earliest, :from), latest = max(latest, :to)
       WHERE part = :part AND (earliest > :from OR latest < :to)`,
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
    leftover: database
      .prepare<[], string>(`SELECT name FROM search_leftovers WHERE name > '' ORDER BY name LIMIT 1`)
      .pluck(),
    forgetLeftover: database.prepare<[string]>('DELETE FROM search_leftovers WHERE name = ?'),
    changes: database.prepare<[], number>('SELECT total_changes()').pluck(),
  };
}

function preparePart(database: Database.Database, name: string): Omit<Part, 'common'> {
  return {
    insert: database.prepare(`INSERT INTO ${name} (rowid, words) VALUES (?, ?)`),
    delete: database.prepare(`DELETE FROM ${name} WHERE rowid = ?`),
    rank: database.prepare(
      `SELECT rowid AS key, bm25(${name}) AS score FROM ${name} WHERE ${name} MATCH ? AND rowid < ?
       ORDER BY rowid DESC LIMIT ?`,
    ),
    find: database
      .prepare<[string, number, number], number>(
        `SELECT rowid FROM ${name} WHERE ${name} MATCH ? AND rowid < ? ORDER BY rowid DESC LIMIT ?`,
      )
      .pluck(),
  };
}
