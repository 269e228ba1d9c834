import type { ConversationRecord, RecordFields } from '../../conversation/log/log.ts';
import { readDetails, writeDetails } from '../../conversation/log/record.ts';
import { DEFAULT_TENANT } from '../../protocol/events.ts';
import { readEvent } from '../../protocol/read-event.ts';
import { answered } from './answers.ts';
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

/** Whose a conversation is, from the beginning of its log; the default tenant's where it is gone. */
export async function readOwner(
  client: RedisClient,
  prefix: string,
  id: string,
): Promise<{ tenant: string; key: string | undefined }> {
  const [opening] = await answered(client.xrange(conversationKeys(prefix, id).log, '1-0', '1-0'));
  const created = opening?.[1][3] === undefined ? undefined : readEvent(opening[1][3]);
  if (created?.type !== 'conversation.created') return { tenant: DEFAULT_TENANT, key: undefined };
  return { tenant: created.tenant, key: created.key };
}

function toFound(id: string, row: Record<string, string>, createdJson: string): Found {
  const created = readEvent(createdJson);
  if (created.type !== 'conversation.created') throw new Error(`the log of ${id} has no beginning`);
  const { tenant, settings, at, forkedFrom } = created;
  const count = (field: string): number => Number(row[field] ?? 0);
  const [inputTokens, outputTokens] = [count('input_tokens'), count('output_tokens')];
  const record: ConversationRecord = {
    id,
    tenant,
    status: row['status'] as ConversationRecord['status'],
    settings,
    turns: count('turns'),
    agentTurns: turnsOf(row, settings),
    usage: {
      inputTokens,
      outputTokens,
      totalTokens: inputTokens + outputTokens,
      costUsd: row['cost_usd'] === '' ? null : count('cost_usd'),
    },
    lastSeq: count('last_seq'),
    lastSender: row['last_sender'] ?? '',
    lastSpeaker: row['last_speaker'] || null,
    createdAt: at,
    startedAt: row['started_at'] ?? null,
    endedAt: row['ended_at'] || null,
    ending: parsed(row['ending']),
    ...readDetails(row['details']),
    forkedFrom: forkedFrom ?? null,
  };
  return { record, entry: row['entry'] ?? '' };
}

/** The fields of a row that a record sets, each with its value; what is null is empty. */
export function fieldsOfRow(record: RecordFields): (string | number)[] {
  const { status, lastSeq, lastSender, lastSpeaker, turns, agentTurns, usage } = record;
  const { endedAt, ending } = record;
  return Object.entries({
    status,
    last_seq: lastSeq,
    last_sender: lastSender,
    last_speaker: lastSpeaker ?? '',
    turns,
    agent_turns: JSON.stringify(agentTurns),
    input_tokens: usage.inputTokens,
    output_tokens: usage.outputTokens,
    cost_usd: usage.costUsd ?? '',
    ended_at: endedAt ?? '',
    ending: written(ending),
    details: writeDetails(record) ?? '',
  }).flat();
}

function written(value: object | null): string {
  return value === null ? '' : JSON.stringify(value);
}

function parsed(json: string | undefined) {
  return json ? JSON.parse(json) : null;
}

/** In the order of the agents; the first releases wrote a field for each. */
function turnsOf(row: Record<string, string>, { agents }: ConversationRecord['settings']): number[] {
  const turns = row['agent_turns'];
  if (turns !== undefined) return JSON.parse(turns) as number[];
  return agents.map(({ name }) => Number(row[`turns:${name}`] ?? 0));
}
