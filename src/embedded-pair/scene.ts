import type { Hearing } from './hearing.ts';
import type { Random } from './random.ts';
import { type Fillings, filled, type Script, type Sentence } from './script.ts';
import type { Words } from './words.ts';

/** Everything that a reply is made of; made anew for each, for nothing is kept between replies. */
export interface Scene {
  script: Script;
  heard: Hearing;
  words: Words;
  fillings: Fillings;
  random: Random;
}

/** A sentence and what it became. */
export interface Said {
  sentence: Sentence;
  text: string;
}

/** How many sentences are drawn from a pool to find one that was not said lately. */
const MAX_TRIES = 10;

/** A sentence of the pool that can be filled in and was not said lately by anybody, or undefined. */
export function choice(scene: Scene, pool: readonly Sentence[]): Said | undefined {
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const sentence = pool[Math.floor(scene.random() * pool.length)];
    const said = sentence && unlessSaid(scene, sentence);
    if (said) return said;
  }
  return undefined;
}

/** The first sentence from there on, round the pool, that was not said lately, or undefined. */
export function nextFrom(scene: Scene, pool: readonly Sentence[], start: number): Said | undefined {
  for (let step = 0; step < MAX_TRIES; step++) {
    const sentence = pool[(start + step) % pool.length];
    const said = sentence && unlessSaid(scene, sentence);
    if (said) return said;
  }
  return undefined;
}

function unlessSaid({ heard, fillings }: Scene, sentence: Sentence): Said | undefined {
  if (heard.last.text.includes(sentence.anchor) || heard.earlier.includes(sentence.anchor)) return undefined;
  const text = filled(sentence, fillings);
  return text === undefined ? undefined : { sentence, text };
}
