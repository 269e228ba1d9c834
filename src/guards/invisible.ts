import { type Match, type StreamScanner, settleOverlaps } from './scanner.ts';

/** Whatever may hide: a quick look that spares most texts the slow one. */
const SUSPICIOUS =
  /[\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}\p{Variation_Selector}]/u;

/** Changes of direction, which make a text look other than it is: https://trojansource.codes/ */
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/gu;
/** Nothing to be seen, and no script needs it. */
const ZERO_WIDTH =
  /[\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\u206a-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}]/gu;
/** Tags are for the flags of parts of countries alone: https://www.unicode.org/reports/tr51/#valid-emoji-tag-sequences */
// In halves of code points, since V8 miscounts repetitions of whole ones before the end of a text.
const FLAG =
  /\ud83c\udff4(?:\udb40[\udc61-\udc7a]){2}(?:\udb40[\udc30-\udc39\udc61-\udc7a]){1,3}\udb40\udc7f/g;
const TAG = /[\u{e0000}-\u{e007f}]/gu;
const UNFINISHED_FLAG = /\ud83c\udff4(?:\udb40[\udc20-\udc7e]){0,5}$/;

/** Marks of direction, which texts of scripts from right to left need where they stand beside others. */
const MARK = /[\u061c\u200e\u200f]/gu;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** Joiners belong between emoji, and in scripts whose letters join: https://www.unicode.org/reports/tr31/#Layout_and_Format_Control_Characters */
const JOINER = /[\u200c\u200d]/gu;
const JOINING =
  /^[\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mandaic}\p{Script=Nko}\p{Script=Mongolian}\p{Script=Devanagari}\p{Script=Bengali}\p{Script=Gurmukhi}\p{Script=Gujarati}\p{Script=Oriya}\p{Script=Tamil}\p{Script=Telugu}\p{Script=Kannada}\p{Script=Malayalam}\p{Script=Sinhala}\p{Script=Khmer}\p{Script=Myanmar}\p{Script=Tibetan}\p{Script=Thai}\p{Script=Lao}\p{Script=Javanese}\p{Script=Balinese}\u064b-\u065f\u0670]$/u;
const PICTURE = /^[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f\u{e007f}]$/u;
const SECOND_PICTURE = /^\p{Extended_Pictographic}$/u;

/** Which variant of a sign is meant: one behind a sign that has variants. */
const VARIANT = /\p{Variation_Selector}/gu;
const HAS_VARIANTS = /^[^\s\p{Cc}\p{Cf}\p{Mn}A-Za-z]$/u;

/** Characters that nobody sees and that hide text; docs/guards.md has the kinds. */
export const invisible: StreamScanner = {
  name: 'invisible',
  context: 40,
  rest: /^(?:)/,
  // A mark in the middle of a word would harm more than what it stands for.
  mark: () => '',

  isHarmless(text) {
    return !SUSPICIOUS.test(text) && !text.endsWith('\ud83c\udff4');
  },

  isHarmlessBehind(_near, piece) {
    return this.isHarmless(piece);
  },

  scan(text, from = 0) {
    const matches: Match[] = [];
    const collect = (pattern: RegExp, kind: string, isMeant = (_at: number): boolean => false): void => {
      pattern.lastIndex = from;
      for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
        const { index } = found;
        if (!isMeant(index)) matches.push({ from: index, to: index + found[0].length, kind });
      }
    };
    collect(DIRECTION, 'direction');
    collect(ZERO_WIDTH, 'zero_width', (at) => text[at] === '\ufeff' && at === 0 && from === 0);
    const flags = [...text.matchAll(FLAG)].map(
      ({ index, 0: { length } }) => [index, index + length] as const,
    );
    collect(TAG, 'tag', (at) => flags.some(([start, end]) => at > start && at < end));
    collect(MARK, 'direction', (at) => isBesideRightToLeft(text, at));
    collect(JOINER, 'zero_width', (at) => joins(text, at));
    collect(VARIANT, 'variant', (at) => HAS_VARIANTS.test(before(text, at)));
    return settleOverlaps(matches);
  },

  heldFrom(text) {
    const flag = UNFINISHED_FLAG.exec(text);
    if (flag) return flag.index;
    return /[\u061c\u200c-\u200f]$/.test(text) ? text.length - 1 : text.length;
  },
};

function before(text: string, at: number): string {
  const low = text.charCodeAt(at - 1);
  return low >= 0xdc00 && low <= 0xdfff ? text.slice(at - 2, at) : text.slice(Math.max(0, at - 1), at);
}

function behind(text: string, at: number): string {
  return at < text.length ? String.fromCodePoint(text.codePointAt(at) ?? 0) : '';
}

function joins(text: string, at: number): boolean {
  const left = before(text, at);
  const right = behind(text, at + 1);
  if (JOINING.test(left)) return JOINING.test(right) || /^[^\p{Cf}]?$/u.test(right);
  return text[at] === '\u200d' && PICTURE.test(left) && SECOND_PICTURE.test(right);
}

const NEAR = 24;

function isBesideRightToLeft(text: string, at: number): boolean {
  // One behind another hides something.
  if (/^[\u061c\u200e\u200f]$/.test(before(text, at))) return false;
  return (
    RIGHT_TO_LEFT.test(text.slice(Math.max(0, at - NEAR), at)) || RIGHT_TO_LEFT.test(behind(text, at + 1))
  );
}
