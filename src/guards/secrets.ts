import {
  BEHIND_PATTERNS,
  BEHIND_SOURCE,
  BEHIND_TOKEN_HINT,
  literally,
  TOKEN_HINT,
  TOKEN_PATTERNS,
  TOKEN_SOURCE,
} from '../security/token-patterns.ts';
import { plainWords } from './plain-words.ts';
import { type Match, markOf, type StreamScanner, settleOverlaps } from './scanner.ts';

/** What a secret's name ends with, where it is given by name. */
const NAMES =
  'secret|token|api[_-]?key|apikey|access[_-]?key(?:[_-]?id)?|secret[_-]?key|private[_-]?key|encryption[_-]?key|' +
  'signing[_-]?key|account[_-]?key|shared[_-]?key|auth[_-]?key|client[_-]?secret|passwd|password|passphrase|pwd|credentials?';
/** Between the name and the value. */
const GIVES = String.raw`["'\]]{0,2}\s{0,3}(?:=>|:=|=|:)\s{0,3}["'${'`'}]?`;
const BEARER = String.raw`\b(?:bearer|authorization["']?\s{0,2}[:=]\s{0,2}["']?(?:basic|token))\s{1,2}`;
const VALUE_SIGN = String.raw`[\w.+/~!@#%^&*$-]`;
const IN_FRONT = `(?:(?:${NAMES})${GIVES}|${BEARER})`;
const NAMED = new RegExp(`(?<=${IN_FRONT})${VALUE_SIGN}{8,512}={0,2}`, 'gi');
const NAMED_OPEN = new RegExp(`${IN_FRONT}(${VALUE_SIGN}*={0,2})$`, 'i');
const NAMED_HINT = /secret|token|key|pass|pwd|credential|bearer|authorization/i;

/** Addresses that name a user and a password: https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1 */
const DATABASES =
  'postgres(?:ql)?|mysql|mariadb|mongodb(?:\\+srv)?|rediss?|valkeys?|amqps?|mssql|sqlserver|clickhouse|cockroachdb|nats|kafka|ldaps?|smtps?|jdbc:[a-z]{2,12}';
const IN_DATABASE = String.raw`(?<=\b(?:${DATABASES}):\/\/)[^\s"'<>${'`'}/?#@:]{0,128}:[^\s"'<>${'`'}]{1,256}(?=@[\w.[-])`;
const IN_URL = String.raw`(?<=\b[a-z][a-z0-9+.-]{1,20}:\/\/)[^\s"'<>${'`'}/?#@:]{0,128}:[^\s"'<>${'`'}/?#]{1,256}(?=@[\w.[-])`;
const CREDENTIALS = new RegExp(`${IN_DATABASE}|${IN_URL}`, 'gi');
const CREDENTIALS_OPEN = new RegExp(
  String.raw`(?<=\b(?:${DATABASES}):\/\/)[^\s"'<>${'`'}]*$|(?<=:\/\/)[^\s"'<>${'`'}/?#]*$`,
  'i',
);

const BEHIND_BEGINS_HINT =
  /[./]com\/|telegram|\d:|rubygems_|_v1_|atlasv1|pat[A-Za-z0-9]{14}\.|secret_|key-|aic_/;
const BEHIND = new RegExp(BEHIND_SOURCE, 'g');
const BEHIND_TAIL = signsOf(/[\w/:=-]/);
const BEHIND_OPEN = new RegExp(
  String.raw`(?<=${BEHIND_PATTERNS.map(({ before }) => before).join('|')})[\w/:=-]*$`,
  'g',
);

const KEY_BEGINS = /-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g;
const KEY_ENDS = /-----END (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----/g;
const KEY_MAY_BEGIN = /-{1,5}(?:(?<=-----)B[A-Z0-9 ]{0,60}-{0,4})?$/;
/** Behind the first line there are headers, or a line of the key itself, perhaps not yet all of it. */
const KEY_GOES_ON =
  /^(?:\s|\\[nr])*(?:\\?$|[A-Za-z0-9+/=:-]{1,15}\\?$|[A-Za-z0-9+/=]{16}|(?:Proc-Type|DEK-Info|Version|Comment|Hash)\b)/;
const KEY_LINES =
  /^(?:[A-Za-z0-9+/=]{16,}|\s|\\[nr]|(?:Proc-Type|DEK-Info|Version|Comment|Hash):[^\n\\]*|[A-Za-z0-9+/=]+(?=\s|\\|$))*/;
const LONGEST_KEY = 16_000;

/** Who only shows where a secret would be. */
const PLACEHOLDER =
  /^[$%{<[(*.#_-]|^(?:your|my|the|an?|some|example|sample|dummy|changeme|placeholder|redacted|process\.env|os\.|env\.|config\.|undefined|null|none|true|false)|[([{]|\*{3}|x{6}|\.{3}|(?<![A-Z])example|your[_-]|change[_-]?me|placeholder/;

const TOKENS = new RegExp(TOKEN_SOURCE, 'g');
const TOKEN_TAIL = signsOf(/[\w.+/=~%,-]/);
/** All that a token may begin with before it can be told from a word. */
const TOKEN_BEGINNINGS = TOKEN_PATTERNS.flatMap(({ begins }) => begins);
const BEGINNINGS: ReadonlySet<string> = new Set(
  TOKEN_BEGINNINGS.flatMap((begin) =>
    Array.from({ length: begin.length - 1 }, (_, at) => begin.slice(0, at + 1)),
  ),
);
const WHOLE_BEGINNING = new RegExp(TOKEN_BEGINNINGS.map(literally).join('|'), 'y');
const WORD_SIGNS = signsOf(/[A-Za-z0-9]/);
const WORD_START = /(?<![A-Za-z0-9])[A-Za-z0-9]/g;

const SUSPICIOUS =
  /[-_:=@/]|AIza|A[KSB]IA|ACCA|ABSK|SG\.|ya29|hv[sbr]\.|dp\.|dapi|eyJ|pat(?:[A-Z0-9]|[A-Za-z0-9]{14})|atlasv1|xoxe|SK[a-f0-9]|[Bb]earer|BEARER/;

/** Behind a name, or what a header says, a value may follow. */
const VALUE_FOLLOWS = /[:=>]["'`\s\]]{0,8}(?:[a-z]{1,6}\s{0,2})?$|bearer\s{0,2}$/i;

/** Characters before a piece in which stands what makes a value of it. */
const NEAR = 24;

const followPlainWords = plainWords({
  words: new Set([...BEGINNINGS].filter((begin) => /^[A-Za-z0-9]+$/.test(begin))),
  joined: new Set(
    [...TOKEN_BEGINNINGS, ...BEHIND_PATTERNS.map(({ hint }) => hint)].flatMap(
      (begin) => /^[A-Za-z0-9]+[.-]/.exec(begin)?.[0] ?? [],
    ),
  ),
  small: TOKEN_BEGINNINGS.filter((begin) => /^[a-z]+$/.test(begin)),
});

/** Keys, tokens, private keys, and passwords in addresses; docs/guards.md has the kinds. */
export const secrets: StreamScanner = {
  name: 'secrets',
  context: 96,
  rest: /^[\w.+/=~%,-]+/,
  mark: markOf,

  isHarmless(text) {
    return !SUSPICIOUS.test(text) && !mayBegin(text);
  },

  isHarmlessBehind(passed, piece) {
    const near = passed.slice(-NEAR);
    if (SUSPICIOUS.test(piece) || VALUE_FOLLOWS.test(near)) return false;
    if (!/^\s/.test(piece)) {
      const word = /\S*$/.exec(near)?.[0] ?? '';
      if (word !== '' && SUSPICIOUS.test(word + piece)) return false;
    }
    return !mayBegin(near + piece);
  },

  follow: followPlainWords,

  scan(text, from = 0) {
    const matches: Match[] = [];
    if (TOKEN_HINT.test(from === 0 ? text : text.slice(from)))
      collect(matches, TOKENS, text, from, kindOfToken);
    if (text.includes('-----BEGIN ')) matches.push(...privateKeys(text, from));
    if (text.includes('://')) {
      collect(matches, CREDENTIALS, text, from, ([found]) =>
        isPlaceholder(found.slice(found.indexOf(':') + 1)) ? undefined : 'connection_string',
      );
    }
    if (BEHIND_TOKEN_HINT.test(text))
      collect(matches, BEHIND, text, from, (found) => kindIn(BEHIND_PATTERNS, found));
    if (NAMED_HINT.test(text)) {
      collect(matches, NAMED, text, from, ([found]) => (isRandom(found) ? 'named_secret' : undefined));
    }
    return settleOverlaps(matches);
  },

  heldFrom(text, from) {
    let held = Math.min(tokenFrom(text, from), keyFrom(text, from));
    if (text.includes('://')) held = Math.min(held, openAt(CREDENTIALS_OPEN, text));
    if (BEHIND_BEGINS_HINT.test(text)) {
      BEHIND_OPEN.lastIndex = Math.max(from, tailFrom(text, BEHIND_TAIL));
      held = Math.min(held, openAt(BEHIND_OPEN, text));
    }
    if (NAMED_HINT.test(text)) held = Math.min(held, valueFrom(text));
    return Math.min(text.length, Math.max(from, held));
  },
};

function collect(
  matches: Match[],
  pattern: RegExp,
  text: string,
  from: number,
  kindOf: (found: RegExpExecArray) => string | undefined,
): void {
  pattern.lastIndex = from;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const kind = kindOf(found);
    if (kind !== undefined) matches.push({ from: found.index, to: found.index + found[0].length, kind });
  }
}

function kindOfToken(found: RegExpExecArray): string | undefined {
  const kind = kindIn(TOKEN_PATTERNS, found);
  // Of a name in code or a word with a dash, no part is random.
  return kind !== undefined && looksRandom(found[0].slice(3)) ? kind : undefined;
}

/** The kind in a table whose pattern matched, each of which is a group. */
function kindIn(table: readonly { kind: string }[], found: RegExpExecArray): string | undefined {
  return table[found.findIndex((group, index) => index > 0 && group !== undefined) - 1]?.kind;
}

/** Whether a token has something else in it than words: digits, or letters of both cases in disorder. */
function looksRandom(body: string): boolean {
  if (/x{8}|X{8}|\*{3}|0{12}/.test(body)) return false;
  if (/\d/.test(body)) return true;
  return /[a-z][A-Z]/.test(body) && /[A-Z]{2}|[A-Z][a-z]?[A-Z]/.test(body);
}

function isPlaceholder(value: string): boolean {
  return /^(?:\$|\{\{|%|\*+$|x+$|\.{3}|…|\[REDACTED|<)/i.test(value);
}

/** Whether a value that is given as a secret is one: neither a word, a name in code, nor a placeholder. */
function isRandom(value: string): boolean {
  if (PLACEHOLDER.test(value)) return false;
  // A name in code, or words with a number behind them.
  if (
    /^[A-Za-z_$]+\d{0,4}[A-Za-z_$]*(?:\.[\w$]+)*$/.test(value) ||
    /^[A-Za-z]+(?:[-_. ][A-Za-z]+)+[-_. ]?\d*$/.test(value)
  ) {
    return false;
  }
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^\w]/].filter((kind) => kind.test(value)).length;
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  if (value.length < 16) return kinds >= 3 && value.length >= 10;
  return entropy(value) >= 3;
}

/** Bits a character, of Shannon's. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const sign of text) counts.set(sign, (counts.get(sign) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}

function privateKeys(text: string, from: number): Match[] {
  const matches: Match[] = [];
  KEY_BEGINS.lastIndex = from;
  for (let begin = KEY_BEGINS.exec(text); begin; begin = KEY_BEGINS.exec(text)) {
    const start = begin.index + begin[0].length;
    const body = text.slice(start, start + LONGEST_KEY);
    if (!KEY_GOES_ON.test(body)) continue;
    KEY_ENDS.lastIndex = 0;
    const end = KEY_ENDS.exec(body);
    const lines = KEY_LINES.exec(body)?.[0] ?? '';
    const isWhole = end !== null && lines.length >= end.index - 8;
    if (!isWhole && !/[A-Za-z0-9+/]{32}/.test(lines)) continue;
    const length = isWhole ? end.index + end[0].length : lines.trimEnd().length;
    matches.push({ from: begin.index, to: start + length, kind: 'private_key' });
    KEY_BEGINS.lastIndex = start + length;
  }
  return matches;
}

/** Where a private key may begin that isn't over. */
function keyFrom(text: string, from: number): number {
  KEY_BEGINS.lastIndex = from;
  for (let begin = KEY_BEGINS.exec(text); begin; begin = KEY_BEGINS.exec(text)) {
    const start = begin.index + begin[0].length;
    const body = text.slice(start);
    if (!KEY_GOES_ON.test(body)) continue;
    KEY_ENDS.lastIndex = 0;
    const end = KEY_ENDS.exec(body);
    if (end) KEY_BEGINS.lastIndex = start + end.index + end[0].length;
    else if (body.length < LONGEST_KEY) return begin.index;
  }
  return openAt(KEY_MAY_BEGIN, text.slice(-80)) + Math.max(0, text.length - 80);
}

function openAt(pattern: RegExp, text: string): number {
  return pattern.exec(text)?.index ?? text.length;
}

/** Where a token may begin whose end isn't seen yet. */
function tokenFrom(text: string, from: number): number {
  const start = Math.max(from, tailFrom(text, TOKEN_TAIL));
  WORD_START.lastIndex = start;
  for (let word = WORD_START.exec(text); word; word = WORD_START.exec(text)) {
    const { index } = word;
    WHOLE_BEGINNING.lastIndex = index;
    if (WHOLE_BEGINNING.test(text) || BEGINNINGS.has(text.slice(index))) return index;
  }
  return text.length;
}

/** Whether the last word may be the beginning of a token. */
function mayBegin(text: string): boolean {
  const start = tailFrom(text, WORD_SIGNS);
  return start < text.length && BEGINNINGS.has(text.slice(start));
}

/** Of the first 128 characters those that match. */
function signsOf(pattern: RegExp): Uint8Array {
  return Uint8Array.from({ length: 128 }, (_, code) => Number(pattern.test(String.fromCharCode(code))));
}

/** Where what a text ends with begins; a pattern with `$` behind it would look at each of its characters in turn. */
function tailFrom(text: string, signs: Uint8Array): number {
  let start = text.length;
  while (start > 0 && signs[text.charCodeAt(start - 1)] === 1) start--;
  return start;
}

/** Where a value begins that is given by name and may go on. */
function valueFrom(text: string): number {
  const value = NAMED_OPEN.exec(text.slice(-700))?.[1];
  return value === undefined ? text.length : text.length - value.length;
}
