import type Database from 'better-sqlite3';
import type { Passage } from '../../protocol/knowledge.ts';
import { fused, scoreOf, type Weighed, type Weights, weigh } from './ranking.ts';
import type { CollectionRow } from './reader.ts';
import type { VectorTable } from './vectors.ts';
import { wordTables } from './word-tables.ts';

/** Passages that are looked at closely: those that have the terms that are worth the most together. */
const CANDIDATES = 200;
/** Occurrences that are counted for that at most; terms that would exceed it are only looked for in the candidates. */
const MOST_COUNTED = 20_000;
/** How many of each ranking are fused. */
export const FUSED = 50;

interface PassageRow {
  id: string;
  title: string;
  number: number;
  start: number;
  stop: number;
  text: string;
}

/** A passage, and how well it fits. */
interface Scored {
  key: number;
  score: number;
}

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
    if (!meaning) return this.#shown(byWords.slice(0, limit));
    const near =
      'nearest' in meaning
        ? this.#vectors.keysOf(collection.key, meaning.nearest).slice(0, FUSED)
        : this.#vectors.nearest(collection.key, meaning.model, meaning.vector, FUSED);
    return this.#shown(fused([byWords.slice(0, FUSED).map(({ key }) => key), near]).slice(0, limit));
  }

  #shown(best: readonly Scored[]): Passage[] {
    const find = this.#database.prepare<[number], PassageRow>(
      `SELECT d.id, d.title, p.number, p.start, p.stop, p.text
       FROM passages p JOIN documents d ON d.key = p.document WHERE p.key = ?`,
    );
    return best.flatMap(({ key, score }) => find.all(key).map((row) => toPassage(row, score)));
  }

  /** Best first. */
  #byWords(question: string, collection: CollectionRow): Scored[] {
    const { terms, total } = this.#weigh(question, collection);
    const usualLength = Math.max(collection.words / Math.max(collection.passages, 1), 1);
    const find = this.#database.prepare<[number], { folded: string; words: number }>(
      'SELECT folded, words FROM passages WHERE key = ?',
    );
    const scored: Scored[] = [];
    for (const [key, had] of this.#candidates(collection.key, terms)) {
      const row = find.get(key);
      if (row)
        scored.push({ key, score: scoreOf(row.folded, row.words / usualLength, { terms: had, total }) });
    }
    return scored.sort((one, other) => other.score - one.score || one.key - other.key);
  }

  #weigh(question: string, { key, passages }: CollectionRow): Weights {
    const { vocabulary } = wordTables(key);
    const occurrences = this.#database
      .prepare<[string], number>(`SELECT doc FROM ${vocabulary} WHERE term = ?`)
      .pluck();
    return weigh(question, { passages, occurrences: (term) => occurrences.get(term) ?? 0 });
  }

  /** The passages that have the terms which are worth the most together, each with those that it may have. */
  #candidates(collection: number, terms: readonly Weighed[]): ReadonlyMap<number, Weighed[]> {
    const { words } = wordTables(collection);
    const having = this.#database
      .prepare<[string, number], number>(`SELECT rowid FROM ${words} WHERE ${words} MATCH ? LIMIT ?`)
      .pluck();
    const worth = new Map<number, number>();
    const counted: { term: Weighed; keys: number[] }[] = [];
    let left = MOST_COUNTED;
    for (const term of terms) {
      if (term.passages > left && counted.length > 0) continue;
      left -= term.passages;
      // Terms have letters, digits and their marks alone, and a sign that FTS5 doesn't know.
      const keys = having.all(`"${term.term}"`, MOST_COUNTED);
      for (const key of keys) worth.set(key, (worth.get(key) ?? 0) + term.weight);
      counted.push({ term, keys });
    }
    const isCounted = new Set(counted.map(({ term }) => term));
    const others = terms.filter((term) => !isCounted.has(term));
    const candidates = new Map(best(worth, CANDIDATES).map((key) => [key, [...others]]));
    for (const { term, keys } of counted) for (const key of keys) candidates.get(key)?.push(term);
    return candidates;
  }
}

/** The keys that are worth the most; of those that are worth the same, the first. */
function best(worth: ReadonlyMap<number, number>, most: number): number[] {
  const least = Float64Array.from(worth.values()).sort().at(-most) ?? 0;
  const [above, equal]: [number[], number[]] = [[], []];
  for (const [key, value] of worth) {
    if (value > least) above.push(key);
    else if (value === least) equal.push(key);
  }
  return [...above, ...equal.sort((one, other) => one - other).slice(0, most - above.length)];
}

function toPassage({ id, title, number, start, stop, text }: PassageRow, score: number): Passage {
  const rounded = Math.round(score * 10_000) / 10_000;
  return { documentId: id, title, passage: number, text, score: rounded, from: start, to: stop };
}
