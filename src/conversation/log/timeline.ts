import { FIELDS_TOLD, type TimelineEntry } from '../../protocol/timeline.ts';
import type { ConversationEvent, Message } from './events.ts';

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
  if (type === 'conversation.created') return undefined;
  if (type === 'message') {
    return event.message.turn === 0 ? undefined : turnOf({ seq, at }, event.message, before);
  }
  // Of a type that a newer release wrote, that it was there.
  const told = FIELDS_TOLD.get(type) ?? ['seq', 'at', 'type'];
  const fields = Object.entries(event).filter(([name]) => told.includes(name));
  return Object.fromEntries(fields) as TimelineEntry;
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
