import type { CreatedEvent, Ending, Message, MessageEvent } from '../../conversation/log/events.ts';
import type { ConversationRecord } from '../../conversation/log/log.ts';
import type { ListedRow } from './listing.ts';

/** The message in an event's row. */
export function toMessage({ json }: { json: string }): Message {
  return (JSON.parse(json) as MessageEvent).message;
}

function endingOf({ reason, detail, by }: Ending): Ending {
  return { reason, ...(detail === undefined ? {} : { detail }), by };
}

/** A row of the catalog and the first event of its log as the record that the port speaks of. */
export function toRecord(row: ListedRow, { settings, at }: CreatedEvent): ConversationRecord {
  const agentTurns = JSON.parse(row.agent_turns) as Record<string, number>;
  return {
    id: row.id,
    status: row.status,
    settings,
    turns: row.turns,
    agentTurns: settings.agents.map(({ name }) => agentTurns[name] ?? 0),
    usage: {
      inputTokens: row.input_tokens,
      outputTokens: row.output_tokens,
      totalTokens: row.input_tokens + row.output_tokens,
      costUsd: row.cost_usd,
    },
    lastSeq: row.last_seq,
    createdAt: at,
    startedAt: toTime(row.started_at),
    endedAt: toTime(row.ended_at),
    ending:
      row.end_reason === null
        ? null
        : endingOf({
            reason: row.end_reason as Ending['reason'],
            ...(row.end_detail === null ? {} : { detail: row.end_detail }),
            by: row.ended_by as Ending['by'],
          }),
  };
}

function toTime(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}
