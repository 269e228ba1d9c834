import { z } from 'zod';
import {
  ballotEvent,
  closingEvent,
  decidedEvent,
  nudgedEvent,
  pausedEvent,
  proposedEvent,
  resumedEvent,
  retractedEvent,
  speakerChosenEvent,
  spentEvent,
  terminatedEvent,
  verdictEvent,
  voteClosedEvent,
} from './events.ts';
import { cost, count, seq, time } from './fields.ts';
import { callMetadata } from './message.ts';

const { provider, model, inputTokens, outputTokens, finishReason } = callMetadata.shape;
const { timeToFirstTokenMs, attempts } = callMetadata.shape;

const turnEntry = z.object({
  seq,
  at: time,
  type: z.literal('turn'),
  turn: count,
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
  costUsd: cost,
  attempts,
  finishReason,
});

const always = { seq: true, at: true, type: true } as const;

/** What a timeline tells of an event that is no turn: all but its texts. */
const otherEntry = z.discriminatedUnion('type', [
  pausedEvent.pick({ ...always, for: true, by: true, key: true, agent: true }),
  resumedEvent.pick({ ...always, by: true, key: true }),
  nudgedEvent.pick({ ...always, kind: true }),
  spentEvent,
  speakerChosenEvent.pick({ ...always, turn: true, agent: true, by: true, key: true, metadata: true }),
  closingEvent.pick({ ...always, reason: true, detail: true }),
  proposedEvent.pick({ ...always, turn: true }),
  decidedEvent.pick({ ...always, turn: true, decision: true, by: true, key: true }),
  retractedEvent.pick({ ...always, target: true, by: true, key: true }),
  ballotEvent.pick({ ...always, agent: true, metadata: true }),
  voteClosedEvent.pick({ ...always, method: true, valid: true, invalid: true }),
  verdictEvent.pick({ ...always, metadata: true }),
  terminatedEvent.pick({ ...always, reason: true, detail: true, by: true, key: true }),
]);

/** How a turn came about, or what happened between turns; no text of a message. */
export const timelineEntry = z
  .discriminatedUnion('type', [turnEntry, otherEntry])
  .meta({ id: 'TimelineEntry' });

/** The names of the fields that a timeline tells, by the type of the event. */
export const FIELDS_TOLD: ReadonlyMap<string, readonly string[]> = new Map(
  otherEntry.options.map(({ shape }) => [shape.type.value, Object.keys(shape)]),
);

export type TimelineEntry = z.output<typeof timelineEntry>;
