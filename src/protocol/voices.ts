import { z } from 'zod';
import { line, text } from './text.ts';

/** Who speaks when, when it ends, and what is decided; docs/protocol.md, section 9. */

function wholeNumber(minimum: number, maximum: number) {
  const error = `takes a whole number from ${minimum} to ${maximum.toLocaleString('en')}`;
  return z.number({ error }).int({ error, abort: true }).min(minimum, { error }).max(maximum, { error });
}

const name = line(64);
const yesOrNo = z.boolean({ error: 'takes true or false' });
/** What chance comes from: the same seed, the same talk. */
const seed = z.union([text(200), z.number().int()], 'takes text or a whole number');
const rounds = wholeNumber(1, 100);
const weight = z.number({ error: 'takes a number above 0' }).gt(0, 'takes a number above 0').max(1e6);

/** Whether an agent speaks by turns, only when it is named, or never. */
export const speaks = z.enum(
  ['in_turn', 'when_mentioned', 'never'],
  'takes in_turn, when_mentioned or never',
);

/** @param agent how an agent is written that is no participant */
export function turnPolicyOf<Agent extends z.ZodType>(agent: Agent) {
  return z.discriminatedUnion(
    'type',
    [
      z.strictObject({ type: z.literal('round_robin') }),
      z.strictObject({ type: z.literal('random'), seed: seed.optional(), repeats: yesOrNo.optional() }),
      z.strictObject({
        type: z.literal('weighted'),
        weights: z.record(name, weight),
        seed: seed.optional(),
      }),
      z.strictObject({
        type: z.literal('mention'),
        otherwise: z.enum(['round_robin', 'random'], 'takes round_robin or random').optional(),
      }),
      z.strictObject({
        type: z.literal('moderator'),
        moderator: agent,
        tries: wholeNumber(1, 10).optional(),
      }),
      z.strictObject({
        type: z.literal('debate'),
        sides: z
          .array(z.array(name).min(1, 'takes at least one name').max(16))
          .min(2, 'takes at least two sides')
          .max(16),
        rounds: wholeNumber(0, 100).optional(),
      }),
      z.strictObject({ type: z.literal('panel'), rounds: rounds.optional(), anonymous: yesOrNo.optional() }),
    ],
    'takes a type: round_robin, random, weighted, mention, moderator, debate or panel',
  );
}

/** When a talk ends; section 9.3. */
export type When =
  | { any: readonly When[] }
  | { all: readonly When[] }
  | { not: When }
  | { turns: number }
  | { rounds: number }
  | { said: string; by?: string | undefined }
  | { spoke: string; times?: number | undefined }
  | { seconds: number }
  | { totalTokens: number }
  | { costUsd: number }
  | { repetition: true }
  | { everybodySaid: string };

const MOST_DEEP = 8;
const MOST_CONDITIONS = 64;
const MOST_TOKENS = Number.MAX_SAFE_INTEGER;
const phrase = text(200);

const condition: z.ZodType<When> = z
  .lazy(() =>
    z.union(
      [
        z.strictObject({ any: conditions }),
        z.strictObject({ all: conditions }),
        z.strictObject({ not: condition }),
        z.strictObject({ turns: wholeNumber(1, 10_000) }),
        z.strictObject({ rounds: wholeNumber(1, 10_000) }),
        z.strictObject({ said: phrase, by: name.optional() }),
        z.strictObject({ spoke: name, times: wholeNumber(1, 10_000).optional() }),
        z.strictObject({ seconds: wholeNumber(1, 86_400) }),
        z.strictObject({ totalTokens: wholeNumber(1, MOST_TOKENS) }),
        z.strictObject({ costUsd: weight }),
        z.strictObject({ repetition: z.literal(true) }),
        z.strictObject({ everybodySaid: phrase }),
      ],
      'takes one of any, all, not, turns, rounds, said, spoke, seconds, totalTokens, costUsd, repetition and ' +
        'everybodySaid, rightly filled in',
    ),
  )
  .meta({ id: 'Condition' });
const conditions = z.array(condition).min(1).max(MOST_CONDITIONS);

/** Counts a condition and all in it, and how deep they go. */
function extentOf(when: When): { size: number; depth: number } {
  const inner = 'any' in when ? when.any : 'all' in when ? when.all : 'not' in when ? [when.not] : [];
  return inner
    .map(extentOf)
    .reduce((sum, { size, depth }) => ({ size: sum.size + size, depth: Math.max(sum.depth, depth + 1) }), {
      size: 1,
      depth: 1,
    });
}

export const when = condition.refine(
  (value) => {
    const { size, depth } = extentOf(value);
    return size <= MOST_CONDITIONS && depth <= MOST_DEEP;
  },
  { error: `takes at most ${MOST_CONDITIONS} conditions in all, and ${MOST_DEEP} deep` },
);

const share = z
  .number({ error: 'takes a number above 0 up to 1' })
  .gt(0, 'takes a number above 0 up to 1')
  .max(1, 'takes a number above 0 up to 1');

/** When a vote is held: at the end, or after so many rounds each. */
const voteAt = z.union(
  [z.literal('end'), z.strictObject({ everyRounds: rounds })],
  'takes "end" or { "everyRounds": n }',
);

/** @param agent how an agent is written that is no participant */
export function decisionOf<Agent extends z.ZodType>(agent: Agent) {
  return z.discriminatedUnion(
    'type',
    [
      z.strictObject({
        type: z.literal('vote'),
        question: text(2000).optional(),
        options: z
          .array(text(200))
          .min(2, 'takes 2 to 16 options')
          .max(16, 'takes 2 to 16 options')
          .refine((options) => new Set(options).size === options.length, { error: 'has an option twice' })
          .optional(),
        method: z.enum(
          ['plurality', 'majority', 'approval', 'ranked'],
          'takes plurality, majority, approval or ranked',
        ),
        quorum: z
          .number()
          .min(0, 'takes a number from 0 to 1')
          .max(1, 'takes a number from 0 to 1')
          .optional(),
        anonymous: yesOrNo.optional(),
        at: voteAt.optional(),
      }),
      z.strictObject({
        type: z.literal('consensus'),
        question: text(2000).optional(),
        share: share.optional(),
        everyRounds: rounds.optional(),
      }),
      z.strictObject({
        type: z.literal('judge'),
        judge: agent,
        rubric: z
          .array(z.strictObject({ name: line(64), description: text(2000), weight: weight.optional() }))
          .min(1, 'takes 1 to 16 criteria')
          .max(16, 'takes 1 to 16 criteria')
          .refine((rubric) => new Set(rubric.map((each) => each.name)).size === rubric.length, {
            error: 'has a criterion twice',
          }),
        scale: z
          .tuple([z.number(), z.number()])
          .refine(([low, high]) => low < high, { error: 'takes the lowest score and the highest' })
          .optional(),
        bothOrders: yesOrNo.optional(),
      }),
    ],
    'takes a type: vote, consensus or judge',
  );
}
