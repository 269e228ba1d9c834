import { z } from 'zod';
import { count, seq, time } from './fields.ts';
import { guardFinding } from './guard.ts';

/** What a remote agent worked on as it answered; section 13.3. */
const remoteTask = z.object({
  id: z.string(),
  contextId: z.string(),
  /** `input_required`: its message asks for something, and the agent's next turn answers it. */
  state: z.enum(['completed', 'input_required']),
});

/** How a model's answer came about, and what it took; docs/protocol.md, section 2.4. */
export const callMetadata = z.object({
  provider: z.string().optional(),
  model: z.string().optional(),
  inputTokens: count.optional(),
  outputTokens: count.optional(),
  /** True where the vendor sent no usage and the tokens are estimated from the text's length. */
  usageEstimated: z.boolean().optional(),
  /** US dollars; left out where the price is not known. */
  costUsd: z.number().optional(),
  latencyMs: z.number().optional(),
  timeToFirstTokenMs: z.number().optional(),
  attempt: z.string().optional(),
  /** The calls that it took since the server last started; 1 when the first succeeded. */
  attempts: count.optional(),
  finishReason: z.string().optional(),
  /** Whom the model went on to speak for, where the reply was cut. */
  spokeFor: z.string().optional(),
  /** What guards found in what was said; section 8.6. */
  guard: z.array(guardFinding).optional(),
  task: remoteTask.optional(),
});

/** A passage that the speaker was shown; section 11.3. */
const source = z.object({
  /** The number under which it was shown, and by which a reply cites it: `[n]`. */
  n: count,
  collection: z.string(),
  documentId: z.string(),
  title: z.string(),
  passage: count,
  from: count,
  to: count,
  score: z.number(),
  cited: z.literal(true).optional(),
});

/** Of the opening message there is nothing but what guards found. */
const messageMetadata = callMetadata.extend({
  /** True where somebody changed the reply before it was let through; section 10.4. */
  edited: z.boolean().optional(),
  /** What was looked up for this turn; empty where nothing was found. */
  sources: z.array(source).optional(),
  /** True where the vendor of embeddings was away, so that words alone were compared, or nothing could be looked up. */
  degraded: z.boolean().optional(),
  /** In a debate: which side spoke, from 1, and in which phase. */
  side: count.optional(),
  phase: z.enum(['opening', 'rebuttal', 'closing']).optional(),
});

export const message = z
  .object({
    seq,
    turn: count,
    sender: z.string(),
    role: z.enum(['moderator', 'agent', 'human']),
    content: z.string(),
    timestamp: time,
    metadata: messageMetadata,
    /** The agents that are shown it; left out where all are. */
    visibleTo: z.array(z.string()).optional(),
    retracted: z.boolean().optional(),
  })
  .meta({ id: 'Message' });

export type CallMetadata = z.infer<typeof callMetadata>;
export type RemoteTask = z.infer<typeof remoteTask>;
export type Source = z.infer<typeof source>;
export type MessageMetadata = z.infer<typeof messageMetadata>;
export type Message = z.infer<typeof message>;
