import type { Decision } from '../log/settings.ts';
import { isObject, jsonIn, oneOf, onlyOneIn, textOf } from './json.ts';
import { bounded, objectSchema, type Question } from './question.ts';

type Vote = Extract<Decision, { type: 'vote' | 'consensus' }>;

export const AGREES = ['agree', 'disagree'] as const;

/** What a ballot says: one option, or several in the order of preference. */
export interface Choice {
  choice: string | string[];
  why: string | null;
}

/** Whether a ballot has several options. */
export function takesSeveral(decision: Vote): boolean {
  return decision.type === 'vote' && (decision.method === 'approval' || decision.method === 'ranked');
}

/** What is voted on where the decision says no question. */
function questionOf(decision: Vote, isAboutAgents: boolean): string {
  if (decision.question !== undefined) return decision.question;
  if (decision.type === 'consensus') return 'Do you agree with what the last message proposes?';
  return isAboutAgents ? 'Whose contribution was the best?' : 'Which of the options is right?';
}

const WAYS = {
  plurality: 'Choose one.',
  majority: 'Choose one.',
  approval: 'Choose all that you can accept, at least one.',
  ranked: 'Rank them, the best first; you may leave out those that you reject.',
} as const;

/**
 * Asks for a ballot. The reason comes before the choice, so that it is weighed before it is made.
 *
 * @param options as the voter sees them, without itself where agents are voted for
 * @param transcript of the talk, as the voter sees it
 */
export function ballotQuestion(
  decision: Vote,
  voter: { name: string; instructions?: string | undefined },
  topic: string,
  options: readonly string[],
  transcript: string,
): Question {
  const several = takesSeveral(decision);
  const isAboutAgents = decision.type === 'vote' && decision.options === undefined;
  const way = decision.type === 'vote' ? WAYS[decision.method] : 'Choose one.';
  const form = several
    ? '{"why": "ONE SENTENCE", "choice": ["OPTION", …]}'
    : '{"why": "ONE SENTENCE", "choice": "OPTION"}';
  const system = [
    `You are ${voter.name}. You have taken part in a talk, and now you vote; nobody sees your ballot before all are cast.`,
    `The topic: ${topic}`,
    ...(voter.instructions === undefined ? [] : [voter.instructions]),
    `Answer with JSON alone: ${form}`,
  ].join('\n\n');
  const list = options.map((option) => `- ${option}`).join('\n');
  const question = questionOf(decision, isAboutAgents);
  const own = isAboutAgents ? ' You cannot vote for yourself.' : '';
  const choice = { type: 'string', enum: [...options] };
  return {
    system,
    message: `${bounded(transcript)}\n\n${question} ${way}${own} The options:\n${list}`,
    form: {
      kind: 'ballot',
      schema: objectSchema({
        why: { type: 'string' },
        choice: several ? { type: 'array', items: choice } : choice,
      }),
      options,
      takesSeveral: several,
      criteria: [],
      scale: [0, 0],
    },
  };
}

/** What a ballot says; undefined where it can't be read as one. */
export function readBallot(text: string, options: readonly string[], several: boolean): Choice | undefined {
  const said = jsonIn(text);
  if (said) {
    const choice = several ? severalOf(said['choice'], options) : oneOf(said['choice'], options);
    return choice === undefined ? undefined : { choice, why: textOf(said['why']) };
  }
  const single = oneOf(text, options) ?? onlyOneIn(text, options);
  if (single === undefined) return undefined;
  return { choice: several ? [single] : single, why: null };
}

/** All of them, each once; undefined where one is no option, or there is none. */
function severalOf(said: unknown, options: readonly string[]): string[] | undefined {
  const list: unknown[] = Array.isArray(said) ? said : said === undefined || isObject(said) ? [] : [said];
  const found = list.map((each) => oneOf(each, options));
  const known = found.filter((each) => each !== undefined);
  return known.length === 0 || known.length < found.length ? undefined : [...new Set(known)];
}
