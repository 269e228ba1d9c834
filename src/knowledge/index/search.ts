import type Database from 'better-sqlite3';
import { wordsOf } from '../../conversation/search/words.ts';
import type { Passage } from '../../protocol/knowledge.ts';
import { type CollectionRow, wordTables } from './file.ts';
import { anyOf, fused, scoreOf, type Weights, weigh } from './ranking.ts';
import type { VectorTable } from './vectors.ts';

/** Passages that FTS5 finds for each question, of which the best are then told apart more finely. */
const CANDIDATES = 200;
/** How many of each ranking are fused. */
export const FUSED = 50;

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

const PASSAGE = `SELECT p.key, d.id, d.title, p.number, p.start, p.stop, p.heading, p.text
  FROM passages p JOIN documents d ON d.key = p.document`;

/** A question's vector and which model made it; or what is nearest to it, nearest first, where that was asked elsewhere. */
export type Meaning = { model: string; vector: Float32Array } | { nearest: readonly Uint8Array[] };

/** Finds passages by their words, or by their words and vectors. */
export class PassageIndex {
  readonly #database: Database.Database;
  readonly #vectors: VectorTable;

  constructor(database: Database.Database, vectors: VectorTable) {
    this.#database = database;
    this.#vectors = vectors;
  }

  /** Undefined where there is no such collection. */
  search(
    tenant: string,
    name: string,
    question: string,
    limit: number,
    meaning?: Meaning,
  ): Passage[] | undefined {
    const collection = this.#database
      .prepare<[string, string], CollectionRow>(
        'SELECT key, passages, words FROM collections WHERE tenant = ? AND name = ?',
      )
      .get(tenant, name);
    if (!collection) return undefined;
    const byWords = this.#byWords(question, collection);
    if (!meaning) return byWords.slice(0, limit).map(({ row, fit }) => toPassage(row, Math.min(1, fit)));
    const near =
      'nearest' in meaning
        ? this.#vectors.keysOf(collection.key, meaning.nearest).slice(0, FUSED)
        : this.#vectors.nearest(collection.key, meaning.model, meaning.vector, FUSED);
    const best = fused([byWords.slice(0, FUSED).map(({ row }) => row.key), near]).slice(0, limit);
    const find = this.#database.prepare<[number], PassageRow>(`${PASSAGE} WHERE p.key = ?`);
    return best.flatMap(({ key, score }) => {
      const row = find.get(key);
      return row ? [toPassage(row, score)] : [];
    });
  }

  /** Best first. */
  #byWords(question: string, collection: CollectionRow): { row: PassageRow; fit: number }[] {
    const weights = this.#weigh(question, collection);
    if (weights.words.size === 0) return [];
    const usualLength = collection.words / Math.max(collection.passages, 1);
    return this.#candidates(collection.key, weights)
      .map((row) => {
        const words = wordsOf(`${row.heading}\n${row.text}`).map(({ word }) => word);
        return { row, fit: scoreOf(words, weights, usualLength) };
      })
      .sort((one, other) => other.fit - one.fit || one.row.key - other.row.key);
  }

  #weigh(question: string, { key, passages }: CollectionRow): Weights {
    const { vocabulary } = wordTables(key);
    const occurrences = this.#database
      .prepare<[string], number>(`SELECT doc FROM ${vocabulary} WHERE term = ?`)
      .pluck();
    return weigh(question, { passages, occurrences: (word) => occurrences.get(word) ?? 0 });
  }

  #candidates(collection: number, weights: Weights): PassageRow[] {
    const { words } = wordTables(collection);
    return this.#database
      .prepare<[string, number], PassageRow>(
        `${PASSAGE} JOIN (SELECT rowid AS key FROM ${words} WHERE ${words} MATCH ? ORDER BY rank LIMIT ?) f
         ON f.key = p.key`,
      )
      .all(anyOf(weights.words.keys()), CANDIDATES);
  }
}

function toPassage({ id, title, number, start, stop, text }: PassageRow, score: number): Passage {
  const rounded = Math.round(score * 10_000) / 10_000;
  return { documentId: id, title, passage: number, text, score: rounded, from: start, to: stop };
}
