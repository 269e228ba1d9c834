import type { WordTable } from '../conversation/policies/word-table.ts';

export type Mood = 'calm' | 'wary' | 'angry' | 'afraid';

/** What hearing a word adds to fear, anger and mistrust; a negative number soothes. */
export type Sway = readonly [fear: number, anger: number, mistrust: number];

/** Colby's three affects, 0 or more; each is an index of a Sway. */
export type Affects = [fear: number, anger: number, mistrust: number];

/** Below this no affect shows. */
const THRESHOLD = 0.7;

const NAMES = ['afraid', 'angry', 'wary'] as const;

/** Adds what the words do, `weight` times: what was said longer ago counts for less. */
export function sway(
  affects: Affects,
  words: readonly string[],
  sways: WordTable<Sway>,
  weight: number,
): void {
  for (const word of words) {
    const change = sways.get(word);
    if (!change) continue;
    affects[0] += change[0] * weight;
    affects[1] += change[1] * weight;
    affects[2] += change[2] * weight;
  }
}

/** The affect that shows: the strongest one that is strong enough. */
export function moodOf(affects: Readonly<Affects>): Mood {
  let strongest = 0;
  for (let index = 1; index < affects.length; index++) {
    if ((affects[index] ?? 0) > (affects[strongest] ?? 0)) strongest = index;
  }
  return (affects[strongest] ?? 0) < THRESHOLD ? 'calm' : (NAMES[strongest] ?? 'calm');
}
