import type Database from 'better-sqlite3';
import { indexed } from './terms.ts';

/** The tables of a collection's terms. */
export function wordTables(key: number): { words: string; vocabulary: string } {
  return { words: `words_${key}`, vocabulary: `vocabulary_${key}` };
}

/**
 * Makes them, empty. Terms come in with spaces between, each once: of what is no ASCII this tokenizer takes nothing
 * apart. Where they stand in a passage, and how often, isn't kept.
 */
export function makeWordTables(database: Database.Database, key: number): void {
  const { words, vocabulary } = wordTables(key);
  database.exec(
    `CREATE VIRTUAL TABLE ${words} USING fts5 (words, content = '', contentless_delete = 1, detail = 'none', tokenize = 'ascii');
     CREATE VIRTUAL TABLE ${vocabulary} USING fts5vocab (${words}, 'row');`,
  );
}

/** Makes those of all collections anew from the passages, which have no folded words yet. */
export function remakeWordTables(database: Database.Database): void {
  database.exec("ALTER TABLE passages ADD COLUMN folded TEXT NOT NULL DEFAULT ''");
  const keep = database.prepare('UPDATE passages SET folded = ? WHERE key = ?');
  const collections = database.prepare<[], number>('SELECT key FROM collections').pluck().all();
  const passages = database.prepare<[number], { key: number; text: string }>(
    'SELECT key, heading || char(10) || text AS text FROM passages WHERE collection = ?',
  );
  for (const collection of collections) {
    const { words, vocabulary } = wordTables(collection);
    database.exec(`DROP TABLE ${vocabulary}; DROP TABLE ${words};`);
    makeWordTables(database, collection);
    const insert = database.prepare(`INSERT INTO ${words} (rowid, words) VALUES (?, ?)`);
    for (const { key, text } of passages.all(collection)) {
      const { folded, terms } = indexed(text);
      keep.run(folded, key);
      insert.run(key, [...terms].join(' '));
    }
  }
}
