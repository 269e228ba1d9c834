import { z } from 'zod';
import { ending } from './ending.ts';
import { by, cost, count, seq, time } from './fields.ts';
import { conversationSettings } from './settings.ts';

export const conversationStatus = z.enum(
  ['queued', 'running', 'paused', 'terminated'],
  'takes queued, running, paused or terminated',
);

/** Tokens and US dollars of all calls, the failed ones too; `costUsd` is null as soon as one's price is unknown. */
const usage = z.object({
  inputTokens: count,
  outputTokens: count,
  totalTokens: count,
  costUsd: cost,
});

/** An agent within a conversation; `turns` counts its own replies. */
const agent = z.object({
  name: z.string(),
  provider: z.string(),
  model: z.string(),
  turns: count,
  state: z.enum(['idle', 'waiting', 'generating', 'responding']),
});

const pause = z.object({
  for: z.enum(['user', 'human', 'approval']),
  since: time,
  by,
  /** Who is waited for, or whose reply is. */
  agent: z.string().optional(),
  detail: z.string().optional(),
});

/** A conversation as clients see it; docs/protocol.md, section 2.2. */
export const conversation = z
  .object({
    id: z.string().meta({ format: 'uuid' }),
    tenant: z.string(),
    topic: z.string(),
    status: conversationStatus,
    agents: z.array(agent),
    /** The number of the last turn: the replies of all agents, without the opening message. */
    turns: count,
    maxTurns: count,
    usage,
    lastSeq: count,
    createdAt: time,
    startedAt: time.nullable(),
    endedAt: time.nullable(),
    termination: ending.nullable(),
    /** Null unless it is paused. */
    pause: pause.nullable(),
    /** The last vote or verdict. */
    outcome: z.looseObject({ type: z.enum(['vote', 'consensus', 'verdict']) }).nullable(),
    forkedFrom: z.object({ id: z.string(), seq }).nullable(),
    settings: conversationSettings,
    metadata: conversationSettings.shape.metadata,
  })
  .meta({ id: 'Conversation' });

export type ConversationStatus = z.infer<typeof conversationStatus>;
export type Usage = z.infer<typeof usage>;
export type Agent = z.infer<typeof agent>;
export type Conversation = z.infer<typeof conversation>;
