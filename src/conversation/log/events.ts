import { z } from 'zod';
import { type ConversationSettings, conversationSettings, MODERATOR } from './settings.ts';

/** Why a conversation ended; docs/protocol.md, section 2.3. A new reason is an addition, never a renaming. */
const terminationReason = z.enum([
  'max_turns',
  'phrase',
  'repetition',
  'timeout',
  'token_budget',
  'cost_budget',
  'circuit_open',
  'provider_error',
  'configuration_error',
  'guard_blocked',
  'user',
]);

/** How agents go round in circles. */
const loopKind = z.enum(['near_duplicates', 'alternation', 'gratitude']);

/** Why and by whom a conversation was ended; `detail` says what in particular. */
export const ending = z.object({
  reason: terminationReason,
  detail: z.string().optional(),
  by: z.enum(['user', 'system']),
});

/** Tokens, milliseconds and names that belong to an agent's reply; empty for the opening message. */
const messageMetadata = z.object({
  provider: z.string().optional(),
  model: z.string().optional(),
  inputTokens: z.number().int().optional(),
  outputTokens: z.number().int().optional(),
  /** True where the vendor sent no usage and the tokens are estimated from the text's length. */
  usageEstimated: z.boolean().optional(),
  costUsd: z.number().optional(),
  latencyMs: z.number().optional(),
  timeToFirstTokenMs: z.number().optional(),
  attempt: z.string().optional(),
  attempts: z.number().int().optional(),
  finishReason: z.string().optional(),
});

export const message = z.object({
  seq: z.number().int(),
  turn: z.number().int(),
  sender: z.string(),
  role: z.enum(['moderator', 'agent', 'human']),
  content: z.string(),
  timestamp: z.string(),
  metadata: messageMetadata,
});

const base = { seq: z.number().int(), at: z.string() };
const createdEvent = z.object({
  ...base,
  type: z.literal('conversation.created'),
  settings: conversationSettings,
  /** Where it is traced: the span that made it, as in https://www.w3.org/TR/trace-context/#traceparent-header */
  traceparent: z.string().optional(),
});
const messageEvent = z.object({ ...base, type: z.literal('message'), message });
const pausedEvent = z.object({ ...base, type: z.literal('conversation.paused') });
const resumedEvent = z.object({ ...base, type: z.literal('conversation.resumed') });
/** The moderator's one word into a conversation that goes round in circles, before it is ended for that. */
const nudgedEvent = z.object({
  ...base,
  type: z.literal('conversation.nudged'),
  kind: loopKind,
  content: z.string(),
});
const terminatedEvent = z.object({
  ...base,
  type: z.literal('conversation.terminated'),
  ...ending.shape,
});

/** An entry of the log. `seq` starts at 1 and has no gaps; docs/protocol.md, section 3. */
export const conversationEvent = z.discriminatedUnion('type', [
  createdEvent,
  messageEvent,
  pausedEvent,
  resumedEvent,
  nudgedEvent,
  terminatedEvent,
]);

export type TerminationReason = z.infer<typeof terminationReason>;
export type Ending = z.infer<typeof ending>;
export type Message = z.infer<typeof message>;
export type MessageMetadata = z.infer<typeof messageMetadata>;
export type CreatedEvent = z.infer<typeof createdEvent>;
export type MessageEvent = z.infer<typeof messageEvent>;
export type NudgedEvent = z.infer<typeof nudgedEvent>;
export type LoopKind = z.infer<typeof loopKind>;
export type TerminatedEvent = z.infer<typeof terminatedEvent>;
export type ConversationEvent = z.infer<typeof conversationEvent>;

/** The two events that every log begins with: the settings, then the opening message as turn 0. */
export function openingEvents(
  settings: ConversationSettings,
  now: Date,
  traceparent?: string,
): [CreatedEvent, MessageEvent] {
  const at = now.toISOString();
  const opening = {
    turn: 0,
    sender: MODERATOR,
    role: 'moderator',
    content: settings.openingMessage,
  } as const;
  return [
    { seq: 1, type: 'conversation.created', at, settings, ...(traceparent ? { traceparent } : {}) },
    { seq: 2, type: 'message', at, message: { seq: 2, ...opening, timestamp: at, metadata: {} } },
  ];
}

/** An agent's reply as the event with this `seq`. */
export function replyEvent(
  seq: number,
  now: Date,
  reply: { turn: number; sender: string; content: string; metadata: MessageMetadata },
): MessageEvent {
  const at = now.toISOString();
  const { turn, sender, content, metadata } = reply;
  return {
    seq,
    type: 'message',
    at,
    message: { seq, turn, sender, role: 'agent', content, timestamp: at, metadata },
  };
}

export function nudgeEvent(
  seq: number,
  now: Date,
  { kind, content }: Pick<NudgedEvent, 'kind' | 'content'>,
): NudgedEvent {
  return { seq, type: 'conversation.nudged', at: now.toISOString(), kind, content };
}

export function terminationEvent(seq: number, now: Date, { reason, detail, by }: Ending): TerminatedEvent {
  const at = now.toISOString();
  return {
    seq,
    type: 'conversation.terminated',
    at,
    reason,
    ...(detail === undefined ? {} : { detail }),
    by,
  };
}

/**
 * Reads an event back from the log's own text. The log was written from these types under a schema
 * version that storage checks at the start, so the text is not checked again on every read.
 */
export function parseEvent(json: string): ConversationEvent {
  return JSON.parse(json) as ConversationEvent;
}
