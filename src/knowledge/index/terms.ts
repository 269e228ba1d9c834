import { wordsOf } from '../../conversation/search/words.ts';
import { isCommon } from './common-words.ts';

/** Letters of a word's beginning and of its end that are terms of their own, and what they are worth beside the word. */
const BEGINNING = { letters: 4, worth: 0.6 };
const END = { letters: 5, worth: 0.5 };
/** Of one character where a pair is the word. */
const CHARACTER_WORTH = 0.8;
/** Of a word that most texts have. */
const COMMON_WORTH = 0.1;

/** What stands before them in the index, so that none is a word: those have letters, digits and their marks alone. */
const [BEGINS, ENDS] = ['‹', '›'];

/** What a text is found by. */
export interface IndexedText {
  /** Its words in order, folded, with a space before and behind each: in it, terms are counted. */
  folded: string;
  words: number;
  /** Each once. */
  terms: ReadonlySet<string>;
}

/**
 * Takes a text apart: its words, and of those of letters how they begin and how they end, so that one is found by
 * another inflection, and a compound by its parts; of what is written without spaces pairs of characters, and each
 * character.
 */
export function indexed(text: string): IndexedText {
  const terms = new Set<string>();
  const words = wordsOf(text);
  for (const { word, first } of words) {
    terms.add(word);
    if (first !== undefined) terms.add(first);
    else if (hasParts(word)) {
      terms.add(BEGINS + beginningOf(word));
      if (word.length >= END.letters) terms.add(ENDS + endOf(word));
    }
  }
  return { folded: ` ${words.map(({ word }) => word).join(' ')} `, words: words.length, terms };
}

/** Something that a question asks for. */
export interface AskedTerm {
  term: string;
  /** As it stands in a folded text. */
  sought: string;
  /** Beside others, of which whole words have 1. */
  worth: number;
}

/** What a question asks for, word by word, each word once: the word, and its parts. Those that say little come last. */
export function askedFor(question: string): AskedTerm[][] {
  const asked = new Map<string, AskedTerm[]>();
  for (const { word, first, isAlone } of wordsOf(question)) {
    if (asked.has(word)) continue;
    const usual = isCommon(word) ? COMMON_WORTH : 1;
    const whole = isAlone ? characterIn(word, usual) : { term: word, sought: ` ${word} `, worth: usual };
    const terms = [whole];
    if (first !== undefined) terms.push(characterIn(first, usual));
    else if (hasParts(word)) {
      const beginning = beginningOf(word);
      terms.push({ term: BEGINS + beginning, sought: ` ${beginning}`, worth: BEGINNING.worth });
      if (word.length >= END.letters) {
        const end = endOf(word);
        terms.push({ term: ENDS + end, sought: `${end} `, worth: END.worth });
      }
    }
    asked.set(word, terms);
  }
  const worthOf = ([first]: AskedTerm[]): number => (first && first.worth > COMMON_WORTH ? 1 : 0);
  return [...asked.values()].sort((one, other) => worthOf(other) - worthOf(one));
}

/** A character begins the pair that it is the first of, or stands alone. */
function characterIn(character: string, usual: number): AskedTerm {
  const worth = CHARACTER_WORTH * (isCommon(character) ? COMMON_WORTH : usual);
  return { term: character, sought: ` ${character}`, worth };
}

function beginningOf(word: string): string {
  return word.slice(0, BEGINNING.letters);
}

function endOf(word: string): string {
  return word.slice(-END.letters);
}

/** Words of letters alone, in scripts with spaces. */
function hasParts(word: string): boolean {
  return word.length >= BEGINNING.letters && !isCommon(word) && /^\p{L}+$/u.test(word);
}
