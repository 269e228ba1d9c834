import { WordTable } from '../conversation/policies/word-table.ts';
import type { Mood, Sway } from './mood.ts';

/**
 * What a sentence of a script can be filled in with. A sentence one of whose slots is empty is passed over.
 *
 * - subject, question, claim, stance, side, other, favourite, disfavoured, aspect: of the topic (topic.ts);
 *   the stance and the favourite are this character's own, the same throughout a talk
 * - word: a word of the last message that stands out; memory: something a partner said of itself earlier
 * - 1: what the pattern's star stood for, reflected
 */
const SLOTS = [
  'subject',
  'question',
  'claim',
  'stance',
  'side',
  'other',
  'favourite',
  'disfavoured',
  'aspect',
  'word',
  'memory',
  '1',
] as const;

type Slot = (typeof SLOTS)[number];

/** What fills the slots in this turn. */
export type Fillings = Partial<Record<Slot, string>>;

/**
 * A keyword with its rank, the patterns in which it counts, and the answers to choose from. A pattern is
 * words, "^" first where the clause must begin with them, "*" last for the rest of the clause; several are
 * separated by " / ".
 */
export type RuleSource = readonly [rank: number, patterns: string, ...answers: string[]];

/** The parts of a reply that follow the answer. */
export type FollowUp = 'nothing' | 'topic' | 'observation' | 'story' | 'mood';

/** What is likely to follow, with weights. */
export type Likelihood = readonly (readonly [FollowUp, weight: number])[];

/** A character as data. */
export interface ScriptSource {
  /** First words to a topic that nobody has answered yet. */
  openings: readonly string[];
  /** Before the first answer to somebody who spoke first. */
  greetings: readonly string[];
  rules: readonly RuleSource[];
  /** Rules that count only in a question. */
  questionRules: readonly RuleSource[];
  /** When nothing was recognised. */
  listening: readonly string[];
  /** On a word that stands out, when nothing was recognised. */
  echoes: readonly string[];
  /** On what was said earlier. */
  memories: readonly string[];
  /** To somebody who says the same again. */
  repeats: readonly string[];
  /** New aspects of the topic. */
  topic: readonly string[];
  observations: readonly string[];
  /** Told in order; each must end in its own way, for that is how the last one told is found again. */
  story: readonly string[];
  moods: Readonly<Record<Mood, readonly string[]>>;
  /** Chances that a memory comes before anything else, 0 to 1. */
  memoryChance: number;
  /** What hears a question best: 1 prefers what was asked, 0 prefers what was told. */
  heedsQuestions: number;
  /** How the topic is come back to when the answer was a question. */
  returnsBy: FollowUp;
  followUps: Readonly<Record<'afterQuestion' | 'afterStatement', Likelihood>>;
  /** Words of others by what they do to the mood; empty for a character without moods. */
  sways: WordTable<Sway>;
}

/** A sentence ready to be filled in. */
export interface Sentence {
  /** The literal text around the slots; one more than there are slots. */
  literals: readonly string[];
  slots: readonly Slot[];
  /** The longest literal: where it occurs, the sentence was said. */
  anchor: string;
  question: boolean;
}

export interface Pattern {
  words: readonly string[];
  atStart: boolean;
  inQuestion: boolean;
  star: boolean;
  rank: number;
  answers: readonly Sentence[];
}

type Compiled<T> = T extends readonly string[] ? readonly Sentence[] : T;

/** A script with its sentences split and its keywords indexed by their first word. */
export type Script = {
  [Key in Exclude<keyof ScriptSource, 'rules' | 'questionRules' | 'moods'>]: Compiled<ScriptSource[Key]>;
} & {
  patterns: WordTable<readonly Pattern[]>;
  moods: Readonly<Record<Mood, readonly Sentence[]>>;
  /** The place in the story by the last characters of what was told. */
  storyByEnding: ReadonlyMap<string, number>;
};

/** So many last characters tell one story sentence from another. */
export const STORY_ENDING_CHARS = 14;

const MIN_ANCHOR_CHARS = 5;

/** @throws Error where a sentence has an unknown slot or nothing of its own to be recognised by. */
export function compile(source: ScriptSource): Script {
  const { rules, questionRules, moods, ...rest } = source;
  const patterns = new Map<string, Pattern[]>();
  for (const rule of questionRules) indexRule(rule, true, patterns);
  for (const rule of rules) indexRule(rule, false, patterns);
  const storyByEnding = new Map(source.story.map((text, index) => [text.slice(-STORY_ENDING_CHARS), index]));
  if (storyByEnding.size !== source.story.length) throw new Error('two parts of a story end alike');
  return {
    ...rest,
    patterns: new WordTable(patterns),
    storyByEnding,
    openings: source.openings.map(sentence),
    greetings: source.greetings.map(sentence),
    listening: source.listening.map(sentence),
    echoes: source.echoes.map(sentence),
    memories: source.memories.map(sentence),
    repeats: source.repeats.map(sentence),
    topic: source.topic.map(sentence),
    observations: source.observations.map(sentence),
    story: source.story.map(sentence),
    moods: {
      calm: moods.calm.map(sentence),
      wary: moods.wary.map(sentence),
      angry: moods.angry.map(sentence),
      afraid: moods.afraid.map(sentence),
    },
  };
}

function indexRule(
  [rank, patterns, ...answers]: RuleSource,
  inQuestion: boolean,
  index: Map<string, Pattern[]>,
): void {
  const sentences = answers.map(sentence);
  for (const text of patterns.split(' / ')) {
    const atStart = text.startsWith('^');
    const words = text.slice(atStart ? 1 : 0).split(' ');
    const star = words.at(-1) === '*';
    if (star) words.pop();
    const [first] = words;
    if (!first || words.includes('*'))
      throw new Error(`a pattern needs words, and a star only at its end: ${text}`);
    const patternsOfWord = index.get(first) ?? [];
    patternsOfWord.push({ words, atStart, inQuestion, star, rank, answers: sentences });
    index.set(first, patternsOfWord);
  }
}

function sentence(source: string): Sentence {
  const [first = '', ...others] = source.split('{');
  const literals = [first];
  const slots: Slot[] = [];
  for (const part of others) {
    const [name = '', literal = ''] = part.split('}');
    const slot = SLOTS.find((known) => known === name);
    if (!slot) throw new Error(`no slot is called ${name}: ${source}`);
    slots.push(slot);
    literals.push(literal);
  }
  // The first letter may have become a small one, behind a name.
  const anchor = [first.slice(1), ...literals.slice(1)].reduce((longest, literal) =>
    literal.length > longest.length ? literal : longest,
  );
  if (anchor.length < MIN_ANCHOR_CHARS) throw new Error(`nothing to be recognised by: ${source}`);
  return { literals, slots, anchor, question: source.endsWith('?') };
}

/** The sentence as said, or undefined where something is missing for it. */
export function filled({ literals, slots }: Sentence, fillings: Fillings): string | undefined {
  let text = literals[0] ?? '';
  let index = 0;
  for (const slot of slots) {
    const filling = fillings[slot];
    if (filling === undefined) return undefined;
    text += filling + (literals[++index] ?? '');
  }
  return literals[0] === '' ? capitalised(text) : text;
}

function capitalised(text: string): string {
  const upper = text.charAt(0).toUpperCase();
  return upper.length === 1 ? upper + text.slice(1) : text;
}
