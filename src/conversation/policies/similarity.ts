/**
 * Loop detection by near-duplicates: the Jaccard index of two texts' sets of word trigrams,
 * |A ∩ B| / |A ∪ B| (Broder's w-shingling with w = 3). It is 1 for texts with the same words in the same
 * order, whatever their case and punctuation, and near 0 for texts that merely share vocabulary. In scripts
 * that put no spaces between words each character counts as a word.
 */

/** The hashes of a text's word trigrams, ascending and without repeats; 4 bytes each. */
export type Fingerprint = Uint32Array;

/** How many of each agent's latest replies a new one is compared with; longer cycles go unseen. */
export const REMEMBERED_REPLIES = 3;

// FNV-1a, 32 bit: https://datatracker.ietf.org/doc/html/draft-eastlake-fnv
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A text of fewer than three words is one single gram, so that "I agree." equals "I agree". */
export function fingerprint(text: string): Fingerprint {
  const words = wordHashes(text);
  if (words.length < 3)
    return Uint32Array.of(words.length === 0 ? hashOf(text) : combine(words, 0, words.length));
  const grams = new Uint32Array(words.length - 2);
  for (let index = 0; index < grams.length; index++) grams[index] = combine(words, index, index + 3);
  grams.sort();
  let unique = 0;
  for (let index = 0; index < grams.length; index++) {
    if (index === 0 || grams[index] !== grams[index - 1]) grams[unique++] = grams[index] as number;
  }
  return grams.slice(0, unique);
}

/** The Jaccard index of two fingerprints, 0 to 1. Two 32-bit hashes that collide shift it by one gram. */
export function jaccard(left: Fingerprint, right: Fingerprint): number {
  let shared = 0;
  let l = 0;
  let r = 0;
  while (l < left.length && r < right.length) {
    const difference = (left[l] as number) - (right[r] as number);
    if (difference === 0) shared++;
    if (difference <= 0) l++;
    if (difference >= 0) r++;
  }
  return shared / (left.length + right.length - shared);
}

/** Whether two texts' Jaccard index reaches a threshold; sets of too different sizes can't. */
export function isNear(left: Fingerprint, right: Fingerprint, threshold: number): boolean {
  const [smaller, larger] = left.length < right.length ? [left, right] : [right, left];
  return smaller.length >= threshold * larger.length && jaccard(left, right) >= threshold;
}

function wordHashes(text: string): number[] {
  const lower = text.toLowerCase();
  const hashes: number[] = [];
  let hash = FNV_OFFSET;
  let inWord = false;
  for (let index = 0; index < lower.length; index++) {
    const unit = lower.charCodeAt(index);
    if (isWordByItself(unit)) {
      if (inWord) hashes.push(hash);
      hashes.push(Math.imul(FNV_OFFSET ^ unit, FNV_PRIME));
      hash = FNV_OFFSET;
      inWord = false;
    } else if (isWordUnit(unit)) {
      hash = Math.imul(hash ^ unit, FNV_PRIME);
      inWord = true;
    } else if (inWord && unit !== APOSTROPHE && unit !== RIGHT_QUOTE) {
      hashes.push(hash);
      hash = FNV_OFFSET;
      inWord = false;
    }
  }
  if (inWord) hashes.push(hash);
  return hashes;
}

const APOSTROPHE = 0x27;
const RIGHT_QUOTE = 0x2019;

/** Thai and Lao; kana and Chinese characters. */
function isWordByItself(unit: number): boolean {
  if (unit < 0xe00) return false;
  return unit <= 0xeff || (unit >= 0x3040 && unit <= 0x30ff) || (unit >= 0x3400 && unit <= 0x9fff);
}

/** ASCII letters and digits, and all beyond ASCII but white space and general, CJK or full-width punctuation. */
function isWordUnit(unit: number): boolean {
  if (unit < 0x80) return (unit >= 0x61 && unit <= 0x7a) || (unit >= 0x30 && unit <= 0x39);
  if (unit > 0xff00 && unit < 0xff66) return isWordUnit(unit - 0xfee0);
  return unit > 0xbf && !(unit >= 0x2000 && unit <= 0x206f) && !(unit >= 0x3000 && unit <= 0x303f);
}

function combine(words: readonly number[], from: number, to: number): number {
  let hash = FNV_OFFSET;
  for (let index = from; index < to; index++) hash = Math.imul(hash ^ (words[index] as number), FNV_PRIME);
  return hash >>> 0;
}

function hashOf(text: string): number {
  let hash = FNV_OFFSET;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), FNV_PRIME);
  }
  return hash >>> 0;
}
