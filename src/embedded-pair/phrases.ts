import {
  COMMON_NOUNS,
  DETERMINERS,
  FUNCTION_WORDS,
  NOUN_ENDING,
  PREPOSITIONS,
  PRONOUNS,
  PROPER_PLURALS,
} from './vocabulary.ts';

const MAX_PHRASE_CHARS = 60;
export const MAX_QUESTION_WORDS = 14;

/** Words without the punctuation around them; what is inside a word, as in "C++" or "TCP/IP", stays. */
export function plainWords(text: string): string[] {
  return text
    .split(/[\s\p{Cc},;:()[\]{}<>"“”„«»`|\\。，、！？；：（）「」『』《》【】؟،؛]+/u)
    .map((word) =>
      word.replace(/^['’‘*_~.!?/&=^\-–—]+|['’‘*_~.!?/&=^\-–—…]+$/gu, '').replace(/\p{Cf}+$/u, ''),
    )
    .filter((word) => word !== '' && /[^\p{Cf}\p{M}]/u.test(word))
    .map((word) => shortened(word, MAX_PHRASE_CHARS / 2))
    .slice(0, 48);
}

export function shortened(text: string, chars: number): string {
  if (text.length <= chars) return text;
  return `${text
    .slice(0, chars - 1)
    .toWellFormed()
    .replace(/\uFFFD$/u, '')}…`;
}

/** Whoever asked is nobody in the talk: "my job" of the topic becomes "one's job". */
export function neutral(words: readonly string[]): string[] {
  return words.map(
    (word) => ({ i: 'one', me: 'one', my: "one's", myself: 'oneself' })[word.toLowerCase()] ?? word,
  );
}

export function thirdPerson(verb: string): string {
  if (verb === 'have') return 'has';
  if (/(?:s|sh|ch|x|z|o)$/u.test(verb)) return `${verb}es`;
  if (/[^aeiou]y$/u.test(verb)) return `${verb.slice(0, -1)}ies`;
  return `${verb}s`;
}

export function phrase(words: readonly (string | undefined)[]): string | undefined {
  const text = words.slice(0, MAX_QUESTION_WORDS).join(' ').trim();
  if (text === '' || words.length > MAX_QUESTION_WORDS) return undefined;
  return text.length > MAX_PHRASE_CHARS * 2 ? undefined : text;
}

export function nounPhrase(words: readonly string[], aspects: readonly string[]): string {
  const [first = ''] = words;
  const pronoun = words.length === 1 && PRONOUNS.has(first.toLowerCase()) && first !== 'people';
  return (pronoun ? undefined : phrase(words)) ?? aspects[0] ?? 'this question';
}

/** A sentence's first word as inside a sentence; a name keeps its capital, and so does what may be one. */
export function settled(first: string, second: string | undefined): string {
  const lower = first.toLowerCase();
  if (FUNCTION_WORDS.has(lower) || DETERMINERS.has(lower) || COMMON_NOUNS.has(lower))
    return decapitalised(first);
  if (PROPER_PLURALS.has(lower)) return first;
  if (NOUN_ENDING.test(lower)) return decapitalised(first);
  const followed = second !== undefined && second === second.toLowerCase() && !PREPOSITIONS.has(second);
  return followed ? decapitalised(first) : first;
}

/** "Tabs" to "tabs", but "AI", "iOS" and "McDonald" as they are. */
export function decapitalised(word: string): string {
  return /^\p{Lu}\p{Ll}+(?:[-'’]\p{Ll}+)*$/u.test(word) ? word.toLowerCase() : word;
}
