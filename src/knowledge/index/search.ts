import type Database from 'better-sqlite3';
import { wordsOf } from '../../conversation/search/words.ts';
import type { Passage } from '../../protocol/knowledge.ts';
import { type CollectionRow, wordTables } from './file.ts';
import { anyOf, scoreOf, type Weights, weigh } from './ranking.ts';

/** Passages that FTS5 finds for each question, of which the best are then told apart more finely. */
const CANDIDATES = 100;

interface PassageRow {
  key: number;
  id: string;
  title: string;
  number: number;
  start: number;
  stop: number;
  heading: string;
  text: string;
}

/** Finds passages by their words. */
export class WordSearch {
  readonly #database: Database.Database;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /** Undefined where there is no such collection. */
  search(tenant: string, name: string, question: string, limit: number): Passage[] | undefined {
    const collection = this.#database
      .prepare<[string, string], CollectionRow>(
        'SELECT key, passages, words FROM collections WHERE tenant = ? AND name = ?',
      )
      .get(tenant, name);
    if (!collection) return undefined;
    const weights = this.#weigh(question, collection);
    if (weights.words.size === 0) return [];
    const usualLength = collection.words / Math.max(collection.passages, 1);
    return this.#candidates(collection.key, weights, Math.max(CANDIDATES, limit))
      .map((row) => {
        const words = wordsOf(`${row.heading}\n${row.text}`).map(({ word }) => word);
        return { row, fit: scoreOf(words, weights, usualLength) };
      })
      .sort((one, other) => other.fit - one.fit || one.row.key - other.row.key)
      .slice(0, limit)
      .map(({ row, fit }) => toPassage(row, Math.min(1, fit)));
  }

  #weigh(question: string, { key, passages }: CollectionRow): Weights {
    const { vocabulary } = wordTables(key);
    const occurrences = this.#database
      .prepare<[string], number>(`SELECT doc FROM ${vocabulary} WHERE term = ?`)
      .pluck();
    return weigh(question, { passages, occurrences: (word) => occurrences.get(word) ?? 0 });
  }

  #candidates(collection: number, weights: Weights, limit: number): PassageRow[] {
    const { words } = wordTables(collection);
    return this.#database
      .prepare<[string, number], PassageRow>(
        `SELECT p.key, d.id, d.title, p.number, p.start, p.stop, p.heading, p.text
         FROM (SELECT rowid AS key FROM ${words} WHERE ${words} MATCH ? ORDER BY rank LIMIT ?) f
         JOIN passages p ON p.key = f.key JOIN documents d ON d.key = p.document`,
      )
      .all(anyOf(weights.words.keys()), limit);
  }
}

function toPassage({ id, title, number, start, stop, text }: PassageRow, score: number): Passage {
  const rounded = Math.round(score * 10_000) / 10_000;
  return { documentId: id, title, passage: number, text, score: rounded, from: start, to: stop };
}
