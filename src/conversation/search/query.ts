import { runsOf, type Word, wordsOf } from './words.ts';

/** What a text must have: these words one behind the other. */
export interface Term {
  words: readonly string[];
  /** Whether the last word is only the beginning of one. */
  isPrefix: boolean;
}

/** Where a term stands in a text, in UTF-16 units; `term` is its place in the query. */
export interface Match {
  term: number;
  from: number;
  to: number;
}

/** What stands between quotation marks, and what doesn't. A mark that nothing closes is punctuation. */
const PHRASES = /"([^"]*)"/g;

/**
 * What a search asks for: each word, `"a phrase"` as it stands, `word*` as a beginning. Whatever else is in it is
 * punctuation, so that no text is an error; of punctuation alone there is no term, which nothing has.
 */
export function parseQuery(q: string): Term[] {
  const terms = new Map<string, Term>();
  const add = (text: string, isPrefix: boolean): void => {
    const term = termOf(text, isPrefix);
    if (term.words.length > 0) terms.set(JSON.stringify(term), term);
  };
  const unquoted = q.replaceAll(PHRASES, (_, phrase: string) => {
    add(phrase, false);
    return ' ';
  });
  for (const { 0: run, index } of runsOf(unquoted)) add(run, unquoted[index + run.length] === '*');
  return [...terms.values()];
}

/**
 * In a text each character of an unspaced script comes with the one behind it. Of a term the last one has nothing
 * behind it that is known, so that alone it is the beginning of a pair, and else the pair before has it.
 */
function termOf(text: string, isPrefix: boolean): Term {
  const found = wordsOf(text);
  const last = found.at(-1);
  if (!last?.isAlone) return { words: found.map(({ word }) => word), isPrefix };
  const before = found.at(-2);
  const isInPair = before !== undefined && before.to === last.to;
  const words = (isInPair ? found.slice(0, -1) : found).map(({ word }) => word);
  return { words, isPrefix: isPrefix || !isInPair };
}

/** All places where terms stand in a text, in their order; undefined where one of them is missing. */
export function matchesIn(text: string, terms: readonly Term[]): Match[] | undefined {
  const words = wordsOf(text);
  const matches: Match[] = [];
  for (const [term, wanted] of terms.entries()) {
    const before = matches.length;
    for (let start = 0; start + wanted.words.length <= words.length; start++) {
      if (!standsAt(words, start, wanted)) continue;
      const [first, last] = [words[start], words[start + wanted.words.length - 1]];
      if (first && last) matches.push({ term, from: first.from, to: endOf(last, wanted) });
    }
    if (matches.length === before) return undefined;
  }
  return matches.sort((left, right) => left.from - right.from || left.to - right.to);
}

function standsAt(words: readonly Word[], start: number, { words: wanted, isPrefix }: Term): boolean {
  return wanted.every((each, index) => {
    const word = words[start + index]?.word ?? '';
    return isPrefix && index === wanted.length - 1 ? word.startsWith(each) : word === each;
  });
}

/** Of a pair that was found by its first character, that character is what was looked for. */
function endOf(last: Word, { words, isPrefix }: Term): number {
  return isPrefix && words.at(-1) === last.first ? (last.firstTo ?? last.to) : last.to;
}
