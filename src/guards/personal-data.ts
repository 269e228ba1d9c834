import { createRequire } from 'node:module';
import type * as Iban from 'ibantools';
import type * as PhoneNumbers from 'libphonenumber-js';
import { type Match, markOf, type StreamScanner, settleOverlaps } from './scanner.ts';

/** Blanks within numbers as people write them. */
const BLANK = String.raw`[ \u00a0\u2009\u202f]`;
const LEFT = String.raw`(?<![\w+.,/\\-]|\w[ ]?\()`;
const RIGHT = String.raw`(?![\w]|[.,/-]\d|${BLANK}\d{3})`;

/** With the country's code in front. */
const INTERNATIONAL = new RegExp(
  String.raw`(?<![\w+])(?:\+|(?<![\d.,-])00)[1-9](?:(?:${BLANK}|[().\/-]){0,3}\d){6,14}`,
  'g',
);
/** As https://nationalnanpa.com writes them; with blanks alone both parts have to be ones that are given out. */
const UNITED_STATES = String.raw`(?:1[ .-])?(?:\([2-9]\d{2}\)${BLANK}?\d{3}[ .-]\d{4}|[2-9]\d{2}([.-])\d{3}\1\d{4}|(?<!\d )[2-9]\d{2} [2-9]\d{2}[ -]\d{4})`;
/** https://www.ofcom.org.uk: areas of two to four figures, mobiles, and numbers of no area. */
const UNITED_KINGDOM =
  String.raw`(?:\(02\d\)|02\d)[ -]?\d{4}[ -]?\d{4}|(?:\(01(?:1\d|\d1)\)|01(?:1\d|\d1))[ -]?\d{3}[ -]?\d{4}|` +
  String.raw`(?:\(01\d{3}\)|01\d{3})[ -]?(?:\d{3}[ -]?\d{3}|\d{5})|07\d{3}[ -]?\d{3}[ -]?\d{3}|07\d{2}[ -]\d{4}[ -]\d{4}|0[38]\d{2}[ -]?\d{3}[ -]?\d{4}`;
const FRANCE = String.raw`0[1-9](${BLANK}|[.-])\d{2}(?:\1\d{2}){3}|0[67]\d{8}`.replaceAll(
  String.raw`\1`,
  String.raw`\2`,
);
const NATIONAL = new RegExp(`${LEFT}(?:${UNITED_STATES}|${UNITED_KINGDOM}|${FRANCE})${RIGHT}`, 'g');
/** As DIN 5008 has them and as people write them: how long each part is differs by town. */
const GERMANY = new RegExp(
  String.raw`${LEFT}(?:(?:\(0[1-9]\d{1,4}\)|0[1-9]\d{1,4})(?:${BLANK}?[\/-]${BLANK}?|${BLANK})\d{2,9}(?:[ -]\d{1,6}){0,5}|01[5-7]\d{8,9})(?![\w]|[.,/-]\d)`,
  'g',
);

const CARD =
  /(?<![\w.,+]|[\d][ -])(?:\d{4}([ -]?)\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|3[47]\d{2}([ -]?)\d{6}\2\d{5}|3[068]\d{2}([ -]?)\d{6}\3\d{4}|4\d{12})(?![\w]|[.,]\d|[ -]\d)/g;
/** By the first figures: https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN) */
const CARD_ISSUERS =
  /^(?:4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|6(?:011|5\d\d|4[4-9]\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|62\d{14,17}|(?:50|5[6-9]|6\d)\d{14}(?:\d{3})?)$/;

const IBAN = /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ \u00a0-]?[A-Za-z0-9]){11,30}/g;

const LOCAL_SIGN = /[\p{L}\p{N}._%+'&=~!#-]/u;
const LONGEST_LOCAL = 64;
const DOMAIN =
  /(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,62})\.){1,8}(?:\p{L}{2,24}|xn--[a-z0-9-]{2,59})(?![\p{L}\p{N}_-])/uy;
/** Names of files and units that have an `@` in them. */
const NO_DOMAIN = /\.(?:png|jpe?g|gif|svg|webp|avif|css|js|mjs|html|mp4|service|socket|timer|target|mount)$/i;

const WORD_SIGN = /[\p{L}\p{N}._%+'&=~!#@-]/u;
const LONGEST_ADDRESS = 320;
const NUMBER_SIGN = /[\d ().,/+\u00a0\u2009\u202f-]/;
const NUMBER_BEGINS = /[+(\d]/;
/** More than any number or account has with its blanks, so that what stands before it is settled. */
const LONGEST_NUMBER = 96;
const IBAN_TAIL = /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}[A-Za-z0-9 \u00a0-]{0,60}$/;

/** What tells of a person: mail addresses, telephone numbers, accounts and cards; docs/guards.md has the kinds. */
export const personalData: StreamScanner = {
  name: 'personal_data',
  context: 24,
  rest: /^[\p{L}\p{N}._%+'@-]+/u,
  mark: markOf,

  isHarmless(text) {
    return !/[\d@+(]/.test(text) && !LOCAL_SIGN.test(text.at(-1) ?? '') && !/[\udc00-\udfff]$/.test(text);
  },

  isHarmlessBehind(_near, piece) {
    return this.isHarmless(piece);
  },

  scan(text, from = 0) {
    const matches: Match[] = text.includes('@', from) ? addresses(text, from) : [];
    // The shortest of them has seven figures.
    if (/\d(?:[^\d\n]{0,4}\d){6}/.test(text)) {
      collect(matches, IBAN, text, from, 'iban', ibanLength);
      collect(matches, CARD, text, from, 'card', (found) => (isCard(found) ? found.length : 0));
      collect(matches, INTERNATIONAL, text, from, 'phone', internationalLength);
      collect(matches, NATIONAL, text, from, 'phone', (found, at) => (isBook(text, at) ? 0 : found.length));
      collect(matches, GERMANY, text, from, 'phone', germanLength);
    }
    return settleOverlaps(matches);
  },

  heldFrom(text, from) {
    const near = Math.max(from, text.length - LONGEST_NUMBER);
    const iban = IBAN_TAIL.exec(text.slice(near))?.index;
    return Math.min(
      wordFrom(text, from),
      numberFrom(text, near),
      iban === undefined ? text.length : near + iban,
    );
  },
};

/** Where the last word begins, as far as it may be an address. */
function wordFrom(text: string, from: number): number {
  let at = text.length;
  for (let signs = 0; signs < LONGEST_ADDRESS && at > from; signs++) {
    const low = text.charCodeAt(at - 1);
    const width = low >= 0xdc00 && low <= 0xdfff && at - 1 > from ? 2 : 1;
    if (!WORD_SIGN.test(text.slice(at - width, at))) break;
    at -= width;
  }
  return at;
}

/** Where figures begin with which the text ends, and what stands between figures. */
function numberFrom(text: string, from: number): number {
  let first = text.length;
  for (let at = text.length; at > from && NUMBER_SIGN.test(text[at - 1] ?? ''); at--) {
    if (NUMBER_BEGINS.test(text[at - 1] ?? '')) first = at - 1;
  }
  return first;
}

/** @param lengthOf how much of what looks like it is it: 0 where it isn't */
function collect(
  matches: Match[],
  pattern: RegExp,
  text: string,
  from: number,
  kind: string,
  lengthOf: (found: string, at: number) => number,
): void {
  pattern.lastIndex = from;
  for (let found = pattern.exec(text); found; found = pattern.exec(text)) {
    const { index } = found;
    const length = lengthOf(found[0], index);
    if (length > 0) matches.push({ from: index, to: index + length, kind });
    pattern.lastIndex = index + Math.max(1, length);
  }
}

function addresses(text: string, from: number): Match[] {
  const matches: Match[] = [];
  let free = from;
  for (let at = text.indexOf('@', from); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > free && at - start < LONGEST_LOCAL && LOCAL_SIGN.test(text[start - 1] ?? '')) start--;
    // Quotation marks, and what stands between two words, are no part of it.
    while (start < at && /[.'&=~!#-]/.test(text[start] ?? '')) start++;
    DOMAIN.lastIndex = at + 1;
    const domain = DOMAIN.exec(text)?.[0];
    if (start === at || domain === undefined || NO_DOMAIN.test(domain)) continue;
    const isAccount =
      text.slice(start, at) === 'git' || /[@/]$/.test(text.slice(Math.max(0, start - 1), start));
    if (isAccount) continue;
    free = at + 1 + domain.length;
    matches.push({ from: start, to: free, kind: 'email' });
  }
  return matches;
}

/** https://en.wikipedia.org/wiki/Luhn_algorithm */
function isCard(found: string): boolean {
  const digits = found.replaceAll(/\D/g, '');
  if (!CARD_ISSUERS.test(digits) || /^(\d)\1+$/.test(digits)) return false;
  let sum = 0;
  for (let place = 0; place < digits.length; place++) {
    const digit = Number(digits[digits.length - 1 - place]);
    const weighed = place % 2 === 0 ? digit : digit * 2;
    sum += weighed > 9 ? weighed - 9 : weighed;
  }
  return sum % 10 === 0;
}

// Who has none of these looked for, or no text with so many figures, doesn't pay for loading them.
const require = createRequire(import.meta.url);
let phoneNumbers: typeof PhoneNumbers | undefined;
let iban: typeof Iban | undefined;

function ibanLength(found: string): number {
  iban ??= require('ibantools') as typeof Iban;
  const wanted = iban.countrySpecs[found.slice(0, 2).toUpperCase()]?.chars ?? 0;
  let [length, signs] = [0, 0];
  while (length < found.length && signs < (wanted ?? 0))
    if (/[A-Za-z0-9]/.test(found[length++] ?? '')) signs++;
  if (signs !== wanted || signs === 0) return 0;
  // What goes on without a blank is something else.
  if (/[A-Za-z0-9]/.test(found[length] ?? '')) return 0;
  const plain = found
    .slice(0, length)
    .replaceAll(/[^A-Za-z0-9]/g, '')
    .toUpperCase();
  return iban.isValidIBAN(plain) ? length : 0;
}

/** The longest beginning that can be a number: what stands behind it with a blank may be another. */
function internationalLength(found: string): number {
  phoneNumbers ??= require('libphonenumber-js/min') as typeof PhoneNumbers;
  const isFormatted = /\D\d/.test(found.slice(1));
  for (let length = found.length; length > 7; length = cut(found, length)) {
    const number = phoneNumbers.parsePhoneNumberFromString(found.slice(0, length).replace(/^00/, '+'));
    if (number && (found.startsWith('+') && isFormatted ? number.isPossible() : number.isValid()))
      return length;
  }
  return 0;
}

function germanLength(found: string): number {
  phoneNumbers ??= require('libphonenumber-js/min') as typeof PhoneNumbers;
  for (let length = found.length; length > 8; length = cut(found, length)) {
    const digits = found.slice(0, length).replaceAll(/\D/g, '').length;
    if (digits < 9 || digits > 13) continue;
    if (phoneNumbers.parsePhoneNumberFromString(found.slice(0, length), 'DE')?.isValid()) return length;
  }
  return 0;
}

/** Without the last group of figures. */
function cut(found: string, length: number): number {
  return found.slice(0, length).replace(/\D*\d+$/, '').length;
}

/** Whether a number in front of which it says so is a book's or something else that is counted. */
function isBook(text: string, at: number): boolean {
  return /(?:isbn|issn|doi|order|invoice|art|no|nr|id|#)[\w.-]{0,4}[:\s]{0,2}$/i.test(
    text.slice(Math.max(0, at - 16), at),
  );
}
