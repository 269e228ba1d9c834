import { wordsOf } from '../../conversation/search/words.ts';

/** BM25's usual constants; https://doi.org/10.1561/1500000019 */
const K1 = 1.2;
const B = 0.75;

/** Words of a question that are looked for at most: the rarest of those that the collection has. */
const MOST_WORDS = 32;
/** Different words of a question whose rarity is asked for. */
const MOST_ASKED = 400;

/** A collection, as far as ranking needs it. */
export interface Corpus {
  passages: number;
  /** In how many passages a word occurs. */
  occurrences: (word: string) => number;
}

/** What a question's words are worth. */
export interface Weights {
  /** Of those that are looked for. */
  words: ReadonlyMap<string, number>;
  /** Of all together, also those that the collection doesn't have. */
  total: number;
}

/**
 * What the words of a question are worth: the rarer, the more. It is above 0 for a word that is everywhere, too, so
 * that a collection of one passage can be searched.
 */
export function weigh(question: string, { passages, occurrences }: Corpus): Weights {
  const words = new Set(wordsOf(question).map(({ word }) => word));
  const known: [string, number][] = [];
  let unknown = 0;
  for (const word of [...words].slice(0, MOST_ASKED)) {
    const n = Math.min(occurrences(word), passages);
    const weight = Math.log(1 + (passages - n + 0.5) / (n + 0.5));
    if (n > 0) known.push([word, weight]);
    else unknown += weight;
  }
  known.sort(([, one], [, other]) => other - one);
  const lookedFor = known.slice(0, MOST_WORDS);
  return { words: new Map(lookedFor), total: lookedFor.reduce((sum, [, weight]) => sum + weight, unknown) };
}

/** Words as FTS5 looks for any of them: they have letters and digits alone. */
export function anyOf(words: Iterable<string>): string {
  return Array.from(words, (word) => `"${word}"`).join(' OR ');
}

/**
 * How well a passage fits a question: BM25, as a share of what it would be if each word of the question stood once in
 * a passage of usual length, and at most 1. Not rounded before it is compared.
 */
export function scoreOf(words: readonly string[], weights: Weights, usualLength: number): number {
  const found = new Map<string, number>();
  for (const word of words) if (weights.words.has(word)) found.set(word, (found.get(word) ?? 0) + 1);
  const long = K1 * (1 - B + (B * words.length) / Math.max(usualLength, 1));
  let score = 0;
  for (const [word, times] of found) {
    score += ((weights.words.get(word) ?? 0) * times * (K1 + 1)) / (times + long);
  }
  return weights.total === 0 ? 0 : score / weights.total;
}

/** Of https://doi.org/10.1145/1571941.1572114 */
const RANK_OFFSET = 60;

/** Rankings as one, by reciprocal rank; 1 where one is the first in all of them. */
export function fused(rankings: readonly (readonly number[])[]): { key: number; score: number }[] {
  const scores = new Map<number, number>();
  const most = rankings.length / (RANK_OFFSET + 1);
  for (const ranking of rankings) {
    for (const [rank, key] of ranking.entries()) {
      scores.set(key, (scores.get(key) ?? 0) + 1 / (RANK_OFFSET + rank + 1) / most);
    }
  }
  return Array.from(scores, ([key, score]) => ({ key, score })).sort(
    (one, other) => other.score - one.score || one.key - other.key,
  );
}
