/** A stretch of words between punctuation marks, and what its sentence ends with. */
export interface Clause {
  /** The first word that is no conjunction: where a statement or a question begins. */
  start: number;
  /** One past the last word. */
  end: number;
  question: boolean;
}

/** A text as words, contractions written out; `lower[i]` is `raw[i]` in lower case. */
export interface Words {
  raw: string[];
  lower: string[];
  clauses: Clause[];
}

const CONTRACTIONS = new Map<string, readonly [string, string]>(
  [
    "I'm I am",
    "I've I have",
    "I'll I will",
    "I'd I would",
    "you're you are",
    "you've you have",
    "you'll you will",
    "you'd you would",
    "we're we are",
    "we've we have",
    "we'll we will",
    "they're they are",
    "they've they have",
    "they'll they will",
    "it's it is",
    "that's that is",
    "what's what is",
    "who's who is",
    "there's there is",
    "let's let us",
  ].map((line) => {
    const [short = '', first = '', second = ''] = line.split(' ');
    return [short.toLowerCase(), [first, second]];
  }),
);

/** Words that join a clause to the one before it and say nothing in an echo. */
const CONJUNCTIONS = new Set('and but so or then well yet still now oh also that anyway besides'.split(' '));

const APOSTROPHE = 0x27;
const HYPHEN = 0x2d;

/** Splits a text into words and clauses; linear in its length. */
export function wordsOf(text: string): Words {
  const words: Words = { raw: [], lower: [], clauses: [] };
  let clauseStart = 0;
  let sentenceStart = 0;
  let wordStart = -1;
  let isJoined = false;
  for (let index = 0; index <= text.length; index++) {
    const unit = index < text.length ? text.charCodeAt(index) : 0x0a;
    if (isWordUnit(unit)) {
      if (wordStart < 0) wordStart = index;
      continue;
    }
    if (wordStart >= 0) {
      if (
        (unit === APOSTROPHE || unit === HYPHEN || unit === 0x2019) &&
        isWordUnit(text.charCodeAt(index + 1))
      ) {
        isJoined = true;
        continue;
      }
      const word = text.slice(wordStart, index);
      if (isJoined) addJoined(words, word);
      else addWord(words, word, word.toLowerCase());
      wordStart = -1;
      isJoined = false;
    }
    if (!endsClause(unit, text.charCodeAt(index + 1))) continue;
    if (words.raw.length > clauseStart) addClause(words, clauseStart);
    clauseStart = words.raw.length;
    if (endsSentence(unit)) {
      if (isQuestionMark(unit)) {
        for (const clause of words.clauses.slice(sentenceStart)) clause.question = true;
      }
      sentenceStart = words.clauses.length;
    }
  }
  return words;
}

function addWord(words: Words, raw: string, lower: string): void {
  words.raw.push(raw);
  words.lower.push(lower);
}

/** A word with an apostrophe or a hyphen in it. */
function addJoined(words: Words, text: string): void {
  const raw = text.replaceAll('’', "'");
  const lower = raw.toLowerCase();
  const pair = CONTRACTIONS.get(lower);
  if (!pair) return addWord(words, raw, lower);
  const [first, second] = pair;
  addWord(words, first, first.toLowerCase());
  addWord(words, second, second);
}

function addClause(words: Words, from: number): void {
  const end = words.raw.length;
  let start = from;
  while (start < end - 1 && CONJUNCTIONS.has(words.lower[start] ?? '')) start++;
  words.clauses.push({ start, end, question: false });
}

/** Letters and digits of ASCII, and all beyond but Latin-1 signs, white space, punctuation, arrows and boxes. */
function isWordUnit(unit: number): boolean {
  if (unit < 0x80) {
    return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x41 && unit <= 0x5a) || (unit >= 0x30 && unit <= 0x39);
  }
  if (unit < 0xc0 || Number.isNaN(unit)) return false;
  if (unit < 0x2000) return unit !== 0x60c && unit !== 0x61b && unit !== 0x61f;
  if (unit <= 0x206f || (unit >= 0x2190 && unit <= 0x25ff)) return false;
  return !(unit >= 0x3000 && unit <= 0x303f) && !(unit >= 0xff00 && unit <= 0xff0f) && !isWideMark(unit);
}

/** The full-width colon, semicolon and question mark, and the replacement character's neighbours. */
function isWideMark(unit: number): boolean {
  return (unit >= 0xff1a && unit <= 0xff20) || unit >= 0xfff0;
}

function endsClause(unit: number, next: number): boolean {
  switch (unit) {
    case 0x2c: // ,
    case 0x3a: // :
      return !(next >= 0x30 && next <= 0x39);
    case 0x3b: // ;
    case 0x28: // (
    case 0x29: // )
    case 0x2013: // –
    case 0x2014: // —
    case 0x60c: // Arabic comma
    case 0x3001: // ideographic comma
    case 0xff0c: // full-width comma
      return true;
    case HYPHEN:
      return next === 0x20;
    case 0x2e: // .
      return !(next >= 0x30 && next <= 0x39);
    default:
      return endsSentence(unit);
  }
}

function endsSentence(unit: number): boolean {
  return (
    unit === 0x2e ||
    unit === 0x21 ||
    unit === 0x0a ||
    unit === 0x3002 ||
    unit === 0xff01 ||
    isQuestionMark(unit)
  );
}

function isQuestionMark(unit: number): boolean {
  return unit === 0x3f || unit === 0xff1f || unit === 0x61f;
}
