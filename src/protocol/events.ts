import { z } from 'zod';
import { ending, terminationReason } from './ending.ts';
import { by, cost, count, key, seq, time } from './fields.ts';
import { callMetadata, message } from './message.ts';
import { conversationSettings } from './settings.ts';

/** Whom everything belongs to where there are no keys; docs/protocol.md, section 1. */
export const DEFAULT_TENANT = 'default';

const base = { seq, at: time };
const detail = z.string().optional();

const createdEvent = z.object({
  ...base,
  type: z.literal('conversation.created'),
  settings: conversationSettings,
  /** Where it is traced: the span that made it, as in https://www.w3.org/TR/trace-context/#traceparent-header */
  traceparent: z.string().optional(),
  /** No log of a release before keys has it. */
  tenant: z.string().default(DEFAULT_TENANT),
  /** The name of the API key that made it, where there are keys. */
  key,
  /** The conversation that it goes on from, up to which of its events. */
  forkedFrom: z.object({ id: z.string(), seq }).optional(),
  /** How many messages behind this event are that conversation's. */
  copies: count.optional(),
  /** When it was imported, and which conversation it was where it was exported. */
  importedFrom: z.object({ id: z.string().optional(), at: time }).optional(),
});

const messageEvent = z.object({
  ...base,
  type: z.literal('message'),
  message,
  /** True for a person's that makes the turn under way void, which is then spoken in knowledge of it. */
  interrupt: z.boolean().optional(),
  key,
  /** Of a request that came with an idempotency key: what tells it from others, in hashes. */
  request: z.object({ key: z.string(), body: z.string() }).optional(),
});

export const pausedEvent = z.object({
  ...base,
  type: z.literal('conversation.paused'),
  /** What is waited for. It was not said before there was more than one. */
  for: z.enum(['user', 'human', 'approval']).default('user'),
  by: by.default('user'),
  key,
  agent: z.string().optional(),
  detail,
  /** True where the turn under way is cut off. */
  now: z.boolean().optional(),
});

export const resumedEvent = z.object({
  ...base,
  type: z.literal('conversation.resumed'),
  by: by.default('user'),
  key,
});

/** How agents go round in circles. */
export const loopKind = z.enum(['near_duplicates', 'alternation', 'gratitude']);

/** The moderator's one word into a conversation that goes round in circles, before it is ended for that. */
export const nudgedEvent = z.object({
  ...base,
  type: z.literal('conversation.nudged'),
  kind: loopKind,
  content: z.string(),
});

/** A failed attempt that cost something. */
export const spentEvent = z.object({
  ...base,
  type: z.literal('attempt.spent'),
  turn: count,
  attempt: z.string(),
  agent: z.string(),
  provider: z.string(),
  model: z.string(),
  inputTokens: count,
  outputTokens: count,
  costUsd: cost,
  /** True where the vendor told no usage. */
  estimated: z.boolean(),
  error: z.string(),
});

/** Who speaks next, where that follows from no rule alone; `metadata` is of the call that chose. */
export const speakerChosenEvent = z.object({
  ...base,
  type: z.literal('speaker.chosen'),
  turn: count,
  agent: z.string(),
  by: z.enum(['moderator', 'human', 'fallback']),
  key,
  detail,
  metadata: callMetadata.optional(),
});

/** The end is certain and its reason fixed; what is still to be decided follows. */
export const closingEvent = z.object({
  ...base,
  type: z.literal('conversation.closing'),
  reason: terminationReason,
  detail,
});

/** A reply that is held back until somebody decides about it. */
export const proposedEvent = z.object({
  ...base,
  type: z.literal('turn.proposed'),
  turn: count,
  /** Without a seq: only what is let through gets one, in an event of its own. */
  message: message.omit({ seq: true }),
});

export const decidedEvent = z.object({
  ...base,
  type: z.literal('turn.decided'),
  turn: count,
  decision: z.enum(['approve', 'edit', 'reject']),
  /** The reply as it was edited. */
  content: z.string().optional(),
  detail,
  by,
  key,
});

export const retractedEvent = z.object({
  ...base,
  type: z.literal('message.retracted'),
  /** The seq of the message. */
  target: seq,
  detail,
  by,
  key,
});

export const ballotEvent = z.object({
  ...base,
  type: z.literal('ballot.cast'),
  agent: z.string(),
  /** Several where the method ranks or approves; null where it could not be read. */
  choice: z.union([z.string(), z.array(z.string())]).nullable(),
  /** Null where a guard took it out. */
  why: z.string().nullable().optional(),
  metadata: callMetadata,
});

export const voteClosedEvent = z.object({
  ...base,
  type: z.literal('vote.closed'),
  method: z.enum(['plurality', 'majority', 'approval', 'ranked', 'consensus']),
  /** By option; of the last round where there are several. */
  tally: z.record(z.string(), count),
  valid: count,
  invalid: count,
  /** Null for a tie, or with too few valid ballots. */
  winner: z.string().nullable(),
});

export const verdictEvent = z.object({
  ...base,
  type: z.literal('verdict.given'),
  scores: z.array(
    z.object({ agent: z.string(), criterion: z.string(), score: z.number(), why: z.string().nullable() }),
  ),
  totals: z.record(z.string(), z.number()),
  winner: z.string().nullable(),
  /** Null where a guard took it out, or there is none. */
  summary: z.string().nullable(),
  metadata: callMetadata,
});

export const terminatedEvent = z.object({
  ...base,
  type: z.literal('conversation.terminated'),
  ...ending.shape,
  key,
});

/**
 * An entry of the log. `seq` starts at 1 and has no gaps; docs/protocol.md, section 3. What older releases left
 * out has a default here, which `readEvent` fills in.
 */
export const conversationEvent = z
  .discriminatedUnion('type', [
    createdEvent,
    messageEvent,
    pausedEvent,
    resumedEvent,
    nudgedEvent,
    spentEvent,
    speakerChosenEvent,
    closingEvent,
    proposedEvent,
    decidedEvent,
    retractedEvent,
    ballotEvent,
    voteClosedEvent,
    verdictEvent,
    terminatedEvent,
  ])
  .meta({ id: 'Event', description: 'An entry of the log.' });

/** An event as a log of any release has it, and as clients get it. */
export type StoredEvent = z.input<typeof conversationEvent>;
/** An event as it is read. */
export type ConversationEvent = z.output<typeof conversationEvent>;
export type CreatedEvent = z.output<typeof createdEvent>;
export type MessageEvent = z.output<typeof messageEvent>;
export type PausedEvent = z.output<typeof pausedEvent>;
export type ResumedEvent = z.output<typeof resumedEvent>;
export type RetractedEvent = z.output<typeof retractedEvent>;
export type SpeakerChosenEvent = z.output<typeof speakerChosenEvent>;
export type ProposedEvent = z.output<typeof proposedEvent>;
export type DecidedEvent = z.output<typeof decidedEvent>;
export type BallotEvent = z.output<typeof ballotEvent>;
export type VoteClosedEvent = z.output<typeof voteClosedEvent>;
export type VerdictEvent = z.output<typeof verdictEvent>;
export type NudgedEvent = z.output<typeof nudgedEvent>;
export type LoopKind = z.infer<typeof loopKind>;
export type SpentEvent = z.output<typeof spentEvent>;
export type TerminatedEvent = z.output<typeof terminatedEvent>;
