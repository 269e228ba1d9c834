import { caseless } from '../log/caseless.ts';

/** A word as searches see it, and where it stands in the text, in UTF-16 units. */
export interface Word {
  word: string;
  from: number;
  to: number;
  /** Of a character of an unspaced script that has none behind it. */
  isAlone?: true;
  /** Of a pair: its first character, and where that ends. */
  first?: string;
  firstTo?: number;
}

/** A run of letters, digits and their marks, with what is invisible between them. */
const RUN = /[\p{L}\p{N}\p{M}\p{Co}][\p{L}\p{N}\p{M}\p{Co}\p{Cf}]*/gu;
/** Scripts whose words have no spaces between them, or endings that a search leaves out, as Korean's have. */
const UNSPACED =
  /[[\p{scx=Han}\p{scx=Hira}\p{scx=Kana}\p{scx=Hang}\p{scx=Bopo}\p{scx=Thai}\p{scx=Laoo}\p{scx=Khmr}\p{scx=Mymr}]&&[\p{L}\p{N}\p{M}]]/v;
/** A character with its marks; those of half-width kana are characters of their own. */
const CHARACTER = /[^][\p{M}\p{Cf}\uFF9E\uFF9F]*/gu;
/** Marks that are accents: those of vowels in India's scripts, and of voiced kana, are letters to their readers. */
const ACCENTS =
  /[[\p{Mn}--[\u3099\u309A]]&&[\p{sc=Zinh}\p{sc=Grek}\p{sc=Cyrl}\p{sc=Hebr}\p{sc=Arab}\p{sc=Syrc}]]/gv;
const INVISIBLE = /\p{Cf}/gu;
/** Letters that have a stroke or a hook which Unicode doesn't take apart. */
const STROKES: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  ø: 'o',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ħ: 'h',
  ı: 'i',
  ł: 'l',
  ŧ: 't',
  ŋ: 'n',
};
const STROKED = /[ßæœøđðþħıłŧŋ]/g;
/** What is looked at closer where it isn't ASCII alone, which most of most texts is. */
const PIECE = /[A-Za-z0-9\u0080-\uFFFF]+/g;
const NOT_ASCII = /[\u0080-\uFFFF]/;

/**
 * The words of a text in order: without case, accents and differences of width. What is written without spaces comes
 * as its characters in pairs, each with the one behind it, the last one alone; so a word of any length is found as
 * the row of its pairs.
 */
export function wordsOf(text: string): Word[] {
  const words: Word[] = [];
  for (const { 0: piece, index } of text.matchAll(PIECE)) {
    if (NOT_ASCII.test(piece)) {
      for (const run of runsOf(piece)) addRun(words, run[0], index + run.index);
    } else words.push({ word: piece.toLowerCase(), from: index, to: index + piece.length });
  }
  return words;
}

/** What a reader takes for words: runs of letters and digits between which there is something else. */
export function runsOf(text: string): IterableIterator<RegExpExecArray> {
  return text.matchAll(RUN);
}

/** A row of characters of an unspaced script, which is not over yet. */
interface Character {
  text: string;
  from: number;
  to: number;
}

function addRun(words: Word[], run: string, start: number): void {
  if (!UNSPACED.test(run)) {
    addFolded(words, run, start, start + run.length);
    return;
  }
  let row: Character[] = [];
  let spaced: Character | undefined;
  const endSpaced = (): void => {
    if (spaced) addFolded(words, spaced.text, spaced.from, spaced.to);
    spaced = undefined;
  };
  for (const { 0: character, index } of run.matchAll(CHARACTER)) {
    const from = start + index;
    const to = from + character.length;
    if (UNSPACED.test(character)) {
      endSpaced();
      const text = fold(character);
      if (text !== '') row.push({ text, from, to });
    } else {
      addPairs(words, row);
      row = [];
      spaced = spaced
        ? { text: spaced.text + character, from: spaced.from, to }
        : { text: character, from, to };
    }
  }
  endSpaced();
  addPairs(words, row);
}

function addPairs(words: Word[], row: readonly Character[]): void {
  for (const [index, { text, from, to }] of row.entries()) {
    const next = row[index + 1];
    words.push(
      next
        ? { word: text + next.text, from, to: next.to, first: text, firstTo: to }
        : { word: text, from, to, isAlone: true },
    );
  }
}

/** Of a few signs that are written as one, such as a ligature of Arabic, there are several words. */
function addFolded(words: Word[], run: string, from: number, to: number): void {
  for (const [word] of fold(run).matchAll(RUN)) words.push({ word, from, to });
}

function fold(text: string): string {
  const bare = text.normalize('NFKD').replaceAll(ACCENTS, '').replaceAll(INVISIBLE, '').normalize('NFC');
  return caseless(bare)
    .normalize('NFKD')
    .replaceAll(ACCENTS, '')
    .normalize('NFC')
    .replaceAll(STROKED, (letter) => STROKES[letter] ?? letter);
}
