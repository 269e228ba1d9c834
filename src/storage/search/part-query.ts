import type { Term } from '../../conversation/search/query.ts';
import { wordsOf } from '../../conversation/search/words.ts';

/** No word has this sign: behind one stands a word, behind two a sender. */
const SIGN = '·';
/** UTF-16 units of a word that the index keeps. */
const LONGEST_WORD = 200;
/** Of longer queries the index is asked for so much; the rest is for who reads the messages found. */
const MOST_TERMS = 32;
const MOST_WORDS = 32;

/** How the tables split their texts again: at blanks, for all else in them are letters and these signs. */
export const TOKENIZER = `tokenize = "ascii tokenchars '-_'"`;

/** The text that a message is indexed by: its words and its sender, each behind the tenant. */
export function indexedText(tenant: string, sender: string, content: string): string {
  let text = senderOf(tenant, sender);
  for (const { word } of wordsOf(content)) text += ` ${wordOf(tenant, word)}`;
  return text;
}

/** What messages are asked to have: https://sqlite.org/fts5.html#full_text_query_syntax */
export function matchOf(
  tenant: string,
  { terms, sender }: { terms: readonly Term[]; sender?: string | undefined },
): string {
  const phrases = terms.slice(0, MOST_TERMS).map(({ words, isPrefix }) => {
    const asked = words.slice(0, MOST_WORDS).map((word) => wordOf(tenant, word));
    return `"${asked.join(' ')}"${isPrefix && words.length <= MOST_WORDS ? ' *' : ''}`;
  });
  if (sender !== undefined) phrases.push(`"${senderOf(tenant, sender)}"`);
  return phrases.join(' AND ');
}

function wordOf(tenant: string, word: string): string {
  return tenant + SIGN + (word.length > LONGEST_WORD ? word.slice(0, LONGEST_WORD) : word);
}

function senderOf(tenant: string, sender: string): string {
  return tenant + SIGN + SIGN + Buffer.from(sender).toString('hex');
}
