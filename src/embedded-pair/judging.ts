import type { AnswerForm } from '../conversation/asking/question.ts';
import type { GenerateRequest } from '../conversation/turn/provider.ts';
import { hashOf, randomFrom } from './random.ts';

/**
 * What the pair answers where it is asked something that is no turn: JSON, by simple things that can be counted in the
 * talk, and the same for the same seed.
 */
export function answerInForm(form: AnswerForm, { messages, seed }: GenerateRequest): string {
  const talk = saidBy(messages.at(-1)?.content ?? '');
  const random = randomFrom(hashOf(seed));
  switch (form.kind) {
    case 'choice':
      return JSON.stringify(choiceIn(form, talk));
    case 'ballot':
      return JSON.stringify(ballotIn(form, talk, random));
    case 'verdict':
      return JSON.stringify(verdictIn(form, talk));
    default:
      return form.kind satisfies never;
  }
}

interface Line {
  speaker: string;
  text: string;
}

const LINE = '='.repeat(20);
/** Rounds behind which a moderator finds that all is said. */
const MOST_ROUNDS = 3;

/** The talk between the lines of equal signs, message by message. */
function saidBy(prompt: string): Line[] {
  const from = prompt.indexOf(`${LINE}\n`);
  const to = prompt.lastIndexOf(`\n${LINE}`);
  if (from < 0 || to < from) return [];
  const lines: Line[] = [];
  for (const part of prompt.slice(from + LINE.length + 1, to).split('\n\n')) {
    const colon = part.indexOf(': ');
    const last = lines.at(-1);
    if (colon > 0 && colon <= 64 && !part.slice(0, colon).includes('\n')) {
      lines.push({ speaker: part.slice(0, colon), text: part.slice(colon + 2) });
    } else if (last) last.text += `\n\n${part}`;
  }
  return lines;
}

/** Whoever has said least so far speaks next; after some rounds it is over. */
function choiceIn({ options }: AnswerForm, talk: readonly Line[]): { agent: string } | { over: true } {
  const counts = options.map((name) => talk.filter(({ speaker }) => speaker === name).length);
  const fewest = Math.min(...counts);
  if (fewest >= MOST_ROUNDS) return { over: true };
  const last = talk.at(-1)?.speaker;
  const silent = options.filter((name, index) => counts[index] === fewest && name !== last);
  return { agent: silent[0] ?? options[0] ?? '' };
}

/** Votes for what is spoken of most; of participants, for whoever asks most. */
function ballotIn(form: AnswerForm, talk: readonly Line[], random: () => number) {
  const { options, takesSeveral } = form;
  if (options.includes('agree')) {
    const asked = talk.at(-1)?.text.includes('?') ?? false;
    const choice = asked && random() < 0.5 ? 'disagree' : 'agree';
    const why = asked ? 'The last message asks rather than proposes.' : 'The last message can be lived with.';
    return { why, choice };
  }
  const weightOf = (option: string): number => {
    const own = talk.filter(({ speaker }) => speaker === option);
    const questions = own.reduce((sum, { text }) => sum + text.split('?').length - 1, 0);
    const named = talk.reduce((sum, { text }) => sum + countOf(text, option), 0);
    return questions * 2 + named + own.length * 0.1 + random();
  };
  const ranked = options
    .map((option) => ({ option, weight: weightOf(option) }))
    .sort((one, other) => other.weight - one.weight)
    .map(({ option }) => option);
  const why = `${ranked[0] ?? ''} was what the talk came back to most.`;
  if (!takesSeveral) return { why, choice: ranked[0] };
  return { why, choice: ranked.slice(0, Math.max(1, Math.ceil(ranked.length / 2))) };
}

function countOf(text: string, word: string): number {
  return text.toLowerCase().split(word.toLowerCase()).length - 1;
}

/** Scores what can be counted: questions, different words, and how long the sentences are. */
function verdictIn({ options, criteria, scale }: AnswerForm, talk: readonly Line[]) {
  const [low, high] = scale;
  const measures = options.map((name) => measured(talk.filter(({ speaker }) => speaker === name)));
  const scores = options.flatMap((agent, index) =>
    criteria.map((criterion, place) => {
      const measure = MEASURES[place % MEASURES.length] ?? MEASURES[0];
      const most = Math.max(...measures.map((each) => each[measure.of]), 1e-9);
      const share = (measures[index]?.[measure.of] ?? 0) / most;
      const score = Math.round((low + share * (high - low)) * 2) / 2;
      const count = Math.round((measures[index]?.[measure.of] ?? 0) * 10) / 10;
      return {
        agent,
        criterion,
        why: `${count} ${measure.words}`,
        score: Math.min(high, Math.max(low, score)),
      };
    }),
  );
  const totals = options.map((agent) =>
    scores.reduce((sum, each) => sum + (each.agent === agent ? each.score : 0), 0),
  );
  const best = options[totals.indexOf(Math.max(...totals))] ?? '';
  return { scores, summary: `${best} had more different words and questions than the others.` };
}

interface Measured {
  words: number;
  questions: number;
  length: number;
}

const MEASURES = [
  { of: 'words', words: 'different words' },
  { of: 'questions', words: 'questions' },
  { of: 'length', words: 'words in a sentence' },
] as const;

function measured(lines: readonly Line[]): Measured {
  const text = lines.map((line) => line.text).join(' ');
  const words = text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
  const sentences = text.split(/[.!?…]+/).filter((sentence) => sentence.trim() !== '').length;
  return {
    words: new Set(words).size,
    questions: text.split('?').length - 1,
    length: words.length / Math.max(1, sentences),
  };
}
