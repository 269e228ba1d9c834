import { z } from 'zod';
import { ending } from './ending.ts';
import { cost, count, time } from './fields.ts';
import { conversationSettings } from './settings.ts';

export const conversationStatus = z.enum(
  ['queued', 'running', 'paused', 'terminated'],
  'takes queued, running, paused or terminated',
);

/** Tokens and US dollars of all replies; `costUsd` is null as soon as one reply's price is unknown. */
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

/** A conversation as clients see it; docs/protocol.md, section 2.2. */
export const conversation = z
  .object({
    id: z.string().meta({ format: 'uuid' }),
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
    settings: conversationSettings,
    metadata: conversationSettings.shape.metadata,
  })
  .meta({ id: 'Conversation' });

export type ConversationStatus = z.infer<typeof conversationStatus>;
export type Usage = z.infer<typeof usage>;
export type Agent = z.infer<typeof agent>;
export type Conversation = z.infer<typeof conversation>;
