import type { Decision } from '../log/settings.ts';
import { isObject, jsonIn, oneOf, textOf } from './json.ts';
import { bounded, objectSchema, type Question } from './question.ts';

type Judging = Extract<Decision, { type: 'judge' }>;

export interface Score {
  agent: string;
  criterion: string;
  score: number;
  why: string | null;
}

/** What a judge said of everybody. */
export interface Judgement {
  scores: Score[];
  summary: string | null;
}

const SCALE: readonly [number, number] = [1, 10];

export function scaleOf({ scale = [...SCALE] }: Pick<Judging, 'scale'>): readonly [number, number] {
  return scale;
}

/**
 * Asks a judge, who knows participants by aliases alone. Reasons come before scores, since a score that is given
 * first is only defended by what follows (https://arxiv.org/abs/2306.05685).
 *
 * @param participants aliases, in the order in which they are listed
 */
export function verdictQuestion(
  judging: Judging,
  topic: string,
  participants: readonly string[],
  transcript: string,
): Question {
  const [low, high] = scaleOf(judging);
  const rubric = judging.rubric.map(({ name, description }) => `- ${name}: ${description}`).join('\n');
  const system = [
    'You judge a talk in which you took no part. Judge what was said, not how much or how loudly, and not the order in which they spoke.',
    `The topic: ${topic}`,
    ...(judging.judge.instructions === undefined ? [] : [judging.judge.instructions]),
    `The criteria, each from ${low} to ${high}:\n${rubric}`,
    'Answer with JSON alone: {"scores": [{"agent": "PARTICIPANT", "criterion": "NAME", "why": "ONE SENTENCE", "score": NUMBER}, …], ' +
      '"summary": "TWO SENTENCES"}, with every participant on every criterion.',
  ].join('\n\n');
  const score = objectSchema({
    agent: { type: 'string', enum: [...participants] },
    criterion: { type: 'string', enum: judging.rubric.map(({ name }) => name) },
    why: { type: 'string' },
    score: { type: 'number' },
  });
  return {
    system,
    message: `${bounded(transcript)}\n\nScore ${participants.join(', ')} on every criterion.`,
    form: {
      kind: 'verdict',
      schema: objectSchema({ scores: { type: 'array', items: score }, summary: { type: 'string' } }),
      options: participants,
      takesSeveral: true,
      criteria: judging.rubric.map(({ name }) => name),
      scale: [low, high],
    },
  };
}

/** What a judge answered; undefined where a score is missing or out of the scale. */
export function readVerdict(
  text: string,
  participants: readonly string[],
  criteria: readonly string[],
  [low, high]: readonly [number, number],
): Judgement | undefined {
  const said = jsonIn(text);
  const list = said?.['scores'];
  if (!said || !Array.isArray(list)) return undefined;
  const scores = new Map<string, Score>();
  for (const each of list as unknown[]) {
    if (!isObject(each)) return undefined;
    const agent = oneOf(each['agent'], participants);
    const criterion = oneOf(each['criterion'], criteria);
    const score = Number(each['score']);
    if (agent === undefined || criterion === undefined) continue;
    if (!Number.isFinite(score) || score < low || score > high) return undefined;
    scores.set(JSON.stringify([agent, criterion]), { agent, criterion, score, why: textOf(each['why']) });
  }
  if (scores.size < participants.length * criteria.length) return undefined;
  return { scores: [...scores.values()], summary: textOf(said['summary']) };
}
