import { type AskedTerm, askedFor } from './terms.ts';

/** BM25's usual constants; https://doi.org/10.1561/1500000019 */
const K1 = 1.2;
const B = 0.75;

/** Words of a question that are looked for at most: those that are worth the most. */
const MOST_WORDS = 24;
/** Different words of a question whose rarity is asked for. */
const MOST_ASKED = 64;

/** A collection, as far as ranking needs it. */
export interface Corpus {
  passages: number;
  /** In how many passages a term occurs. */
  occurrences: (term: string) => number;
}

/** A term that is looked for. */
export interface Weighed {
  term: string;
  sought: string;
  weight: number;
  /** How many have it. */
  passages: number;
}

/** What a question's terms are worth. */
export interface Weights {
  /** Those that are looked for, and that the collection has, the worthiest first. */
  terms: readonly Weighed[];
  /** Of all together, also those that the collection doesn't have. */
  total: number;
}

/**
 * What the terms of a question are worth: the rarer, the more. It is above 0 for one that is everywhere, too, so that a
 * collection of one passage can be searched.
 */
export function weigh(question: string, { passages, occurrences }: Corpus): Weights {
  const weighed = ({ term, sought, worth }: AskedTerm): Weighed => {
    const n = Math.min(occurrences(term), passages);
    return { term, sought, passages: n, weight: worth * Math.log(1 + (passages - n + 0.5) / (n + 0.5)) };
  };
  // By the words themselves: parts are asked for only of those that are looked for.
  const words = askedFor(question)
    .slice(0, MOST_ASKED)
    .flatMap(([word, ...parts]) => (word ? [{ word: weighed(word), parts }] : []))
    .sort(({ word: one }, { word: other }) => other.weight - one.weight);
  const all = words.slice(0, MOST_WORDS).flatMap(({ word, parts }) => [word, ...parts.map(weighed)]);
  const once = [...new Map(all.map((each) => [each.term, each])).values()];
  return {
    terms: once.filter(({ passages: n }) => n > 0).sort(({ weight: one }, { weight: other }) => other - one),
    total: once.reduce((sum, { weight }) => sum + weight, 0),
  };
}

/**
 * How well a passage fits a question: BM25, as a share of what it would be if each term of the question stood once in
 * a passage of usual length, and at most 1. Not rounded before it is compared.
 *
 * @param folded the words of the passage, with a space before and behind each
 * @param length of the passage, over the usual one
 */
export function scoreOf(folded: string, length: number, { terms, total }: Weights): number {
  const long = K1 * (1 - B + B * length);
  let score = 0;
  for (const { sought, weight } of terms) {
    const times = countOf(folded, sought);
    if (times > 0) score += (weight * times * (K1 + 1)) / (times + long);
  }
  return total === 0 ? 0 : Math.min(1, score / total);
}

/** How often it stands there; two next to each other share a space. */
function countOf(text: string, sought: string): number {
  let count = 0;
  for (let at = text.indexOf(sought); at >= 0; at = text.indexOf(sought, at + sought.length - 1)) count++;
  return count;
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
