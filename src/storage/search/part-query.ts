import type { Term } from '../../conversation/search/query.ts';
import { DEFAULT_TENANT } from '../../protocol/events.ts';
import type { WordSet } from './common-words.ts';

/** No word has this sign: behind one stands a word, behind two a sender, behind three a pair of words with one between. */
const SIGN = '.';
/** UTF-16 units of a word that the index keeps. */
const LONGEST_WORD = 200;
/** Of longer queries the index is asked for so much; the rest is for who reads the messages found. */
const MOST_TERMS = 32;
const MOST_WORDS = 32;

/** How the tables split their texts again: at blanks, for all else in them are letters and these signs. */
export const TOKENIZER = `tokenize = "ascii tokenchars '-_.'"`;

/**
 * The text that a message is indexed by: its sender, its words and the pairs of common words that follow each other,
 * each behind the tenant. A phrase of common words is found as its pairs, of which there are far fewer than of its
 * words.
 */
export function indexedText(
  { tenant, sender }: { tenant: string; sender: string },
  words: readonly string[],
  common: WordSet,
): string {
  let text = senderOf(tenant, sender);
  let pairs = '';
  const begin = ` ${prefixOf(tenant)}${SIGN}`;
  let before: string | undefined;
  for (const word of words) {
    text += begin + cut(word);
    if (common.size === 0) continue;
    const isCommon = common.has(word);
    if (isCommon && before !== undefined) pairs += ` ${pairOf(tenant, before, word)}`;
    before = isCommon ? word : undefined;
  }
  return text + pairs;
}

/**
 * What messages are asked to have: https://sqlite.org/fts5.html#full_text_query_syntax
 *
 * @param common the words of which the part has the pairs
 */
export function matchOf(
  tenant: string,
  { terms, sender }: { terms: readonly Term[]; sender?: string | undefined },
  common: WordSet,
): string {
  const asked = terms.slice(0, MOST_TERMS).flatMap((term) => phrasesOf(tenant, term, common));
  if (sender !== undefined) asked.push(`"${senderOf(tenant, sender)}"`);
  return asked.join(' AND ');
}

function phrasesOf(tenant: string, { words, isPrefix }: Term, common: WordSet): string[] {
  const asked = words.slice(0, MOST_WORDS);
  if (asked.length > 1 && !isPrefix && asked.every((word) => common.has(word))) {
    return asked.slice(1).map((word, index) => `"${pairOf(tenant, asked[index] ?? '', word)}"`);
  }
  const phrase = asked.map((word) => prefixOf(tenant) + SIGN + cut(word)).join(' ');
  return [`"${phrase}"${isPrefix && words.length <= MOST_WORDS ? ' *' : ''}`];
}

/** Most words are the default tenant's: shorter ones take less time. No tenant's name is empty. */
function prefixOf(tenant: string): string {
  return tenant === DEFAULT_TENANT ? '' : tenant;
}

function cut(word: string): string {
  return word.length > LONGEST_WORD ? word.slice(0, LONGEST_WORD) : word;
}

function pairOf(tenant: string, first: string, second: string): string {
  return `${prefixOf(tenant)}${SIGN.repeat(3)}${cut(first)}${SIGN}${cut(second)}`;
}

function senderOf(tenant: string, sender: string): string {
  return `${prefixOf(tenant)}${SIGN}${SIGN}${Buffer.from(sender).toString('hex')}`;
}
