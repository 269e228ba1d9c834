import type { CreatedEvent, Ending, Message, MessageEvent } from '../../conversation/log/events.ts';
import type { ConversationRecord } from '../../conversation/log/log.ts';
import { readDetails } from '../../conversation/log/record.ts';
import type { ListedRow } from './listing.ts';

/** The message in an event's row. */
export function toMessage({ json }: { json: string }): Message {
  return (JSON.parse(json) as MessageEvent).message;
}

/** A row of the catalog and the first event of its log as the record that the port speaks of. */
export function toRecord(
  row: ListedRow,
  { tenant, settings, at, forkedFrom }: CreatedEvent,
): ConversationRecord {
  return {
    id: row.id,
    tenant,
    status: row.status,
    settings,
    turns: row.turns,
    agentTurns: turnsOf(row.agent_turns, settings),
    usage: {
      inputTokens: row.input_tokens,
      outputTokens: row.output_tokens,
      totalTokens: row.input_tokens + row.output_tokens,
      costUsd: row.cost_usd,
    },
    lastSeq: row.last_seq,
    lastSender: row.last_sender,
    lastSpeaker: row.last_speaker,
    createdAt: at,
    startedAt: toTime(row.started_at),
    endedAt: toTime(row.ended_at),
    ending: endingOf(row),
    ...readDetails(row.details),
    forkedFrom: forkedFrom ?? null,
  };
}

/** In the order of the agents; the first releases wrote them by name. */
function turnsOf(json: string, { agents }: CreatedEvent['settings']): readonly number[] {
  const turns = JSON.parse(json) as number[] | Record<string, number>;
  return Array.isArray(turns)
    ? turns
    : agents.map(({ name }) => (Object.hasOwn(turns, name) ? turns[name] : 0) ?? 0);
}

function endingOf({ end_reason: reason, end_detail: detail, ended_by: by }: ListedRow): Ending | null {
  if (reason === null) return null;
  return {
    reason: reason as Ending['reason'],
    ...(detail === null ? {} : { detail }),
    by: by as Ending['by'],
  };
}

function toTime(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}
