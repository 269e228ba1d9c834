import { z } from 'zod';
import { type ConversationEvent, type Message, message } from './events.ts';

const base = { seq: z.number().int(), at: z.string() };
const { provider, model, inputTokens, outputTokens, finishReason } = message.shape.metadata.shape;
const { timeToFirstTokenMs, attempts } = message.shape.metadata.shape;

const turnEntry = z.object({
  ...base,
  type: z.literal('turn'),
  turn: z.number().int(),
  agent: z.string(),
  provider,
  model,
  /** From the event before to the start of the attempt that succeeded: all waits and failed tries. */
  waitMs: z.number(),
  timeToFirstTokenMs,
  /** Of the attempt that succeeded. */
  durationMs: z.number(),
  inputTokens,
  outputTokens,
  /** Null where the price is not known. */
  costUsd: z.number().nullable(),
  attempts,
  finishReason,
});

const otherEntry = z.object({
  ...base,
  type: z.enum([
    'conversation.paused',
    'conversation.resumed',
    'conversation.nudged',
    'conversation.terminated',
  ]),
  kind: z.string().optional(),
  reason: z.string().optional(),
  detail: z.string().optional(),
  by: z.string().optional(),
});

/** How a turn came about, or what happened between turns; no text of a message. */
export const timelineEntry = z.discriminatedUnion('type', [turnEntry, otherEntry]);

export type TimelineEntry = z.infer<typeof timelineEntry>;

/**
 * What a log says of how its turns went, one entry for each event behind the opening message.
 *
 * @param before when the event before these happened, ISO 8601
 */
export function timelineOf(before: string, events: readonly ConversationEvent[]): TimelineEntry[] {
  let previous = before;
  return events.flatMap((event): TimelineEntry[] => {
    const entry = entryOf(event, previous);
    previous = event.at;
    return entry ? [entry] : [];
  });
}

function entryOf(event: ConversationEvent, before: string): TimelineEntry | undefined {
  const { seq, at, type } = event;
  switch (type) {
    case 'conversation.created':
      return undefined;
    case 'message':
      return event.message.turn === 0 ? undefined : turnOf({ seq, at }, event.message, before);
    case 'conversation.paused':
    case 'conversation.resumed':
      return { seq, at, type };
    case 'conversation.nudged':
      return { seq, at, type, kind: event.kind };
    case 'conversation.terminated': {
      const { reason, detail, by } = event;
      return { seq, at, type, reason, ...(detail === undefined ? {} : { detail }), by };
    }
  }
}

function turnOf(
  { seq, at }: { seq: number; at: string },
  { turn, sender, metadata }: Message,
  before: string,
): TimelineEntry {
  const { provider, model, timeToFirstTokenMs, latencyMs = 0, inputTokens, outputTokens } = metadata;
  const { costUsd = null, attempts, finishReason } = metadata;
  return {
    seq,
    at,
    type: 'turn',
    turn,
    agent: sender,
    provider,
    model,
    // Two clocks meet here, one of which can be set back.
    waitMs: Math.max(0, Date.parse(at) - latencyMs - Date.parse(before)),
    timeToFirstTokenMs,
    durationMs: latencyMs,
    inputTokens,
    outputTokens,
    costUsd,
    attempts,
    finishReason,
  };
}
