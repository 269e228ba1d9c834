import { wordsOf } from '../conversation/search/words.ts';
import type { GenerateRequest } from '../conversation/turn/provider.ts';
import type { Hearing } from './hearing.ts';
import { FUNCTION_WORDS } from './vocabulary.ts';

/** A sentence that is quoted, in characters. */
const SHORTEST = 20;
const LONGEST = 240;
/** By how much of its beginning a sentence is known again. */
const KNOWN_BY = 40;

/** What stands in front of a quotation. */
const LEADS: Readonly<Record<string, readonly string[]>> = {
  eliza: ['I have read this:', 'What I was given says:', 'It is written:', 'Here is what I found:'],
  parry: [
    'They put it in writing:',
    'I have it on paper:',
    'Look what the file says:',
    'Somebody wrote this down:',
  ],
};

/**
 * A sentence of what was looked up, with its number: the one that has most of the words that were said last and that
 * nobody has quoted yet. Undefined where there is none.
 */
export function quotation(
  { model, shown, topic }: Pick<GenerateRequest, 'model' | 'shown' | 'topic'>,
  heard: Hearing,
): string | undefined {
  if (!shown) return undefined;
  const asked = new Set(meaningful(`${heard.last.text} ${topic}`));
  let best: { sentence: string; n: number; shared: number } | undefined;
  for (const [index, { text }] of shown.passages.entries()) {
    for (const sentence of sentencesOf(text)) {
      const known = sentence.slice(0, KNOWN_BY);
      if (heard.earlier.includes(known) || heard.last.text.includes(known)) continue;
      const shared = [...new Set(meaningful(sentence))].filter((word) => asked.has(word)).length;
      if (shared > (best?.shared ?? 0)) best = { sentence, n: index + 1, shared };
    }
  }
  if (!best) return undefined;
  const leads = LEADS[model] ?? LEADS['eliza'] ?? [];
  return `${leads[heard.own.length % leads.length]} "${best.sentence}" [${best.n}]`;
}

function meaningful(text: string): string[] {
  return wordsOf(text).flatMap(({ word }) => (FUNCTION_WORDS.has(word) || word.length < 2 ? [] : [word]));
}

/** The sentences of a passage without the marks of Markdown, those that are neither too short nor too long. */
function sentencesOf(text: string): string[] {
  return text
    .split(/\n+|(?<=[.!?…])\s+|(?<=[。！？])/u)
    .map((part) => part.replace(/^[\s#>*|-]+|[\s*|]+$/gu, '').replaceAll('"', "'"))
    .filter(({ length }) => length >= SHORTEST && length <= LONGEST);
}
