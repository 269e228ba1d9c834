import { COURTESY_WORDS } from './courtesy-words.ts';

/**
 * Which replies are courtesy alone: thanks, praise, agreement and farewell in English, German, French and
 * Spanish (a few set phrases of other languages) or in emoji. A word that is not listed here carries
 * content, for a talk ended by mistake is worse than a loop found late.
 */

/** Whom and what a talk is about: names say nothing by themselves, the topic's words always do. */
export interface Talk {
  readonly topic: string;
  readonly names: readonly string[];
}

/** A reply that is courtesy alone. */
export interface Courtesy {
  /** It thanks, agrees or takes leave by itself, as "You too" and "Wonderful!" do not. */
  readonly hearty: boolean;
  /** Without names. */
  readonly words: number;
  /** How many of them may carry content: the topic's own, and those that are neither listed nor known. */
  readonly newWords: number;
  /** The words that are new now and shall not be the next time. */
  readonly learned: readonly string[];
}

/** In UTF-16 units; whoever says more is not merely polite. */
const LONGEST_COURTESY = 240;
const MOST_NEW_WORDS = 3;
/** "May your curiosity never fade" is a courtesy all the same, "Thank you, lamb" is an order. */
const LARGEST_NEW_SHARE = 1 / 3;
const LARGEST_NEW_SHARE_UNLESS_HEARTY = 1 / 6;
/** Words of names among the others. */
const MOST_NAME_WORDS = 5;

const TOKEN = /\p{L}[\p{L}\p{M}\p{N}'’]*|\p{N}+|\p{Extended_Pictographic}/gu;
const LETTER = /\p{L}/u;
const DIGIT = /\p{N}/u;
/** The one question that asks for nothing. */
const OFFER = /anything|noch (et)?was|autre chose|algo más/;

/**
 * What a reply amounts to if it is courtesy alone; undefined if it carries content. `known` are the words
 * that earlier courtesies were let off for.
 */
export function courtesyIn(content: string, talk: Talk, known: readonly string[]): Courtesy | undefined {
  if (content.length > LONGEST_COURTESY) return undefined;
  const text = content.toLowerCase();
  if (/[?？]/.test(text) && !OFFER.test(text)) return undefined;
  const listed: string[] = [];
  const unlisted: string[] = [];
  let hearty = false;
  let words = 0;
  for (const token of text.match(TOKEN) ?? []) {
    const word = withoutApostrophes(token);
    words++;
    const kind = COURTESY_WORDS.get(word);
    if (kind === 'filler') continue;
    if (kind === 'turn') return undefined;
    if (kind) listed.push(word);
    else if (!known.includes(word)) unlisted.push(word);
    hearty ||= kind === 'courtesy';
    if (unlisted.length > MOST_NEW_WORDS + MOST_NAME_WORDS) return undefined;
  }
  const names = unlisted.length > 0 ? new Set(talk.names.flatMap(wordsOf)) : undefined;
  const others = unlisted.filter((word) => !names?.has(word));
  if (words === 0 || others.some((word) => DIGIT.test(word))) return undefined;

  const topic = talk.topic.toLowerCase();
  const isOfTopic = (word: string): boolean => beginsAWordOf(topic, word);
  const newWords = others.length + listed.filter(isOfTopic).length;
  if (newWords > MOST_NEW_WORDS) return undefined;
  const learned = others.filter((word) => !isOfTopic(word));
  return { hearty, words: words - (unlisted.length - others.length), newWords, learned };
}

/** Whether there is so much new in a courtesy that it carries content. */
export function carriesContent({ hearty, newWords, words }: Courtesy): boolean {
  return newWords > 0 && newWords >= words * (hearty ? LARGEST_NEW_SHARE : LARGEST_NEW_SHARE_UNLESS_HEARTY);
}

/** Whether a text has the word itself or a longer one made of it, such as its plural. */
function beginsAWordOf(text: string, word: string): boolean {
  let at = text.indexOf(word);
  while (at > 0 && LETTER.test(text.charAt(at - 1))) at = text.indexOf(word, at + 1);
  return at >= 0;
}

function wordsOf(text: string): string[] {
  return (text.toLowerCase().match(TOKEN) ?? []).map(withoutApostrophes);
}

function withoutApostrophes(token: string): string {
  return token.includes("'") || token.includes('’') ? token.replaceAll(/['’]/g, '') : token;
}
