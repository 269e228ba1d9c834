import type { Ending } from '../../conversation/log/events.ts';
import type { ConversationRecord } from '../../conversation/log/log.ts';
import { readEvent } from '../../protocol/read-event.ts';
import type { RedisClient } from './connection.ts';
import { conversationKeys } from './keys.ts';

/** A conversation's record, and the entry under which the indexes have it. */
export interface Found {
  record: ConversationRecord;
  entry: string;
}

/** Reads a conversation's row, and its settings from the log's first event. */
export async function readRecord(
  client: RedisClient,
  prefix: string,
  id: string,
): Promise<Found | undefined> {
  const { row, log } = conversationKeys(prefix, id);
  const [fields, opening] = await Promise.all([client.hgetall(row), client.xrange(log, '1-0', '1-0')]);
  const created = opening[0]?.[1][3];
  return created === undefined || fields['entry'] === undefined ? undefined : toFound(id, fields, created);
}

function toFound(id: string, row: Record<string, string>, createdJson: string): Found {
  const created = readEvent(createdJson);
  if (created.type !== 'conversation.created') throw new Error(`the log of ${id} has no beginning`);
  const { settings, at } = created;
  const count = (field: string): number => Number(row[field] ?? 0);
  const [inputTokens, outputTokens] = [count('input_tokens'), count('output_tokens')];
  const record: ConversationRecord = {
    id,
    status: row['status'] as ConversationRecord['status'],
    settings,
    turns: count('turns'),
    agentTurns: settings.agents.map(({ name }) => count(`turns:${name}`)),
    usage: {
      inputTokens,
      outputTokens,
      totalTokens: inputTokens + outputTokens,
      costUsd: row['cost_usd'] === '' ? null : count('cost_usd'),
    },
    lastSeq: count('last_seq'),
    createdAt: at,
    startedAt: row['started_at'] ?? null,
    endedAt: row['ended_at'] ?? null,
    ending: row['ending'] === undefined ? null : (JSON.parse(row['ending']) as Ending),
  };
  return { record, entry: row['entry'] ?? '' };
}
