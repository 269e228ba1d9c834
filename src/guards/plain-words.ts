import type { Follower } from './scanner.ts';

// Characters, by what can begin or end in them.
const OTHER = 0;
const SMALL = 1;
const CAPITAL = 2;
const FIGURE = 3;
/** Stands between words, and in no token. */
const GAP = 4;
const DOT = 5;
const DASH = 6;

const KINDS = Uint8Array.from({ length: 128 }, (_, code) => kindOf(String.fromCharCode(code)));

function kindOf(sign: string): number {
  if (/[a-z]/.test(sign)) return SMALL;
  if (/[A-Z]/.test(sign)) return CAPITAL;
  if (/\d/.test(sign)) return FIGURE;
  if (sign === '.') return DOT;
  if (sign === '-') return DASH;
  return /[\s,;!?'"()]/.test(sign) ? GAP : OTHER;
}

/** So far back stands at most what says that a value follows, as `password" => "` and a short word. */
const NEAR = 24;
const GIVES_VALUE = /[:=>]|bearer\s*$/i;
const CALLER = 'bearer';

export interface Beginnings {
  /** What tokens begin with, as far as it is one word, and parts of it: a text that ends with one isn't settled. */
  words: ReadonlySet<string>;
  /** The first word of what tokens begin with, and the dot or dash behind it. */
  joined: ReadonlySet<string>;
  /** Small letters that a token begins with, and nothing else is needed. */
  small: readonly string[];
}

/**
 * Makes what knows pieces of plain words, in which no token is and none begins, with one look at each character. It
 * relies on it that what was let out never ends with what a token begins with. What it doesn't know may be harmless, too.
 */
export function plainWords({ words, joined, small }: Beginnings): () => Follower {
  /** Of the words that begin with each letter, how long the longest is. */
  const longest = new Uint8Array(128);
  for (const word of words) {
    const first = word.charCodeAt(0);
    longest[first] = Math.max(longest[first] ?? 0, word.length);
  }
  const begins = (piece: string, from: number): boolean =>
    (piece.length - from <= (longest[piece.charCodeAt(from)] ?? 0) && words.has(piece.slice(from))) ||
    small.some((begin) => piece.startsWith(begin, from));
  return () => follow(begins, joined);
}

function follow(begins: (piece: string, from: number) => boolean, joined: ReadonlySet<string>): Follower {
  /** Nothing stands near the end that says that a value follows, and the last word is a plain one, if there is one. */
  let isCalm = true;
  let last = GAP;
  return {
    takes(piece) {
      if (!isCalm) return false;
      let before = last;
      // Where the last word begins; below 0 where it began in an earlier piece, and may go on.
      let from = -1;
      for (let at = 0; at < piece.length; at++) {
        const code = piece.charCodeAt(at);
        const kind = code < 128 ? (KINDS[code] as number) : GAP;
        const isInWord = before <= FIGURE;
        switch (kind) {
          case SMALL:
            if (before === FIGURE || before === DOT) return false;
            if (!isInWord) from = at;
            break;
          case CAPITAL:
            if (isInWord || before === DOT) return false;
            from = at;
            break;
          case FIGURE:
            if (before === SMALL || before === CAPITAL || before === DOT) return false;
            if (!isInWord) from = at;
            break;
          case GAP:
            if (isInWord && saysCaller(piece, from, at)) return false;
            break;
          case DOT:
            if (before === DASH || (from >= 0 && isInWord && joined.has(piece.slice(from, at + 1))))
              return false;
            break;
          case DASH:
            if (before === DASH || before === DOT) return false;
            if (isInWord && (from < 0 || joined.has(piece.slice(from, at + 1)))) return false;
            break;
          default:
            return false;
        }
        before = kind;
      }
      if (before === DASH) return false;
      if (before <= FIGURE) {
        if (saysCaller(piece, from, piece.length)) return false;
        if (from >= 0 && begins(piece, from)) return false;
      }
      last = before;
      return true;
    },

    passed(text) {
      isCalm = endsPlainly(text) && !GIVES_VALUE.test(text.slice(-NEAR));
      if (isCalm) last = kindAt(text, text.length - 1);
    },
  };
}

function kindAt(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 128 ? (KINDS[code] as number) : GAP;
}

/** Whether a text ends between words, or with a plain word, perhaps with dots behind it. */
function endsPlainly(text: string): boolean {
  let at = text.length - 1;
  while (at >= 0 && kindAt(text, at) === DOT) at--;
  const end = at;
  while (at >= 0 && kindAt(text, at) === SMALL) at--;
  if (at >= 0 && kindAt(text, at) === CAPITAL) at--;
  else if (at === end) while (at >= 0 && kindAt(text, at) === FIGURE) at--;
  return at < 0 || kindAt(text, at) === GAP;
}

/** Whether a word that ends there may be the one behind which a token follows. */
function saysCaller(piece: string, from: number, to: number): boolean {
  if (to === 0 || piece.charCodeAt(to - 1) !== CALLER.charCodeAt(CALLER.length - 1)) return false;
  const word = piece.slice(Math.max(0, from), to).toLowerCase();
  return from < 0 ? CALLER.endsWith(word) || word.endsWith(CALLER) : word === CALLER;
}
