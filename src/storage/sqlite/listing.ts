import type Database from 'better-sqlite3';
import { caseless } from '../../conversation/log/caseless.ts';
import type { ConversationFilter } from '../../conversation/log/log.ts';
import { topicSearch } from './topics.ts';

/** A row of the catalog. The settings are in the log's first event; see beginnings.ts. */
export interface ListedRow {
  key: number;
  id: string;
  status: 'queued' | 'running' | 'paused' | 'terminated';
  started_at: number | null;
  ended_at: number | null;
  last_seq: number;
  turns: number;
  agent_turns: string;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number | null;
  end_reason: string | null;
  end_detail: string | null;
  ended_by: string | null;
}

const COLUMNS = `c.key, c.id, c.status, c.started_at, c.ended_at, c.last_seq, c.turns, c.agent_turns,
  c.input_tokens, c.output_tokens, c.cost_usd, c.end_reason, c.end_detail, c.ended_by`;

export const FIND_BY_ID = `SELECT ${COLUMNS} FROM conversations c WHERE c.id = ?`;

/**
 * The query for one page of conversations, newest first. It walks down the index of the filter that leaves
 * the least, and stops when the page is full.
 *
 * @param before the key that the page begins below
 */
export function listingQuery(
  database: Database.Database,
  filter: ConversationFilter,
  before: number | undefined,
  limit: number,
): { sql: string; parameters: (string | number)[] } | 'nothing' {
  const { status, provider, q, createdAfter, createdBefore } = filter;
  const where: string[] = [];
  const parameters: (string | number)[] = [];
  const also = (condition: string, ...values: (string | number)[]): void => {
    where.push(condition);
    parameters.push(...values);
  };

  const few = status !== undefined && status !== 'terminated';
  let from = 'conversations c';
  let key = 'c.key';
  if (q !== undefined && !few) {
    const { table, query } = topicSearch(q);
    from = `${table} t CROSS JOIN conversations c ON c.key = t.rowid`;
    key = 't.rowid';
    also(`t.${table} MATCH ?`, query);
  } else if (provider !== undefined && !few) {
    from = 'conversation_providers p CROSS JOIN conversations c ON c.key = p.conversation';
    key = 'p.conversation';
    also('p.provider = ?', provider);
  }
  if (status !== undefined) also('c.status = ?', status);
  if (provider !== undefined && key !== 'p.conversation') {
    also(
      'EXISTS (SELECT 1 FROM conversation_providers WHERE provider = ? AND conversation = c.key)',
      provider,
    );
  }
  if (q !== undefined && key !== 't.rowid') {
    also('instr((SELECT topic FROM topics WHERE rowid = c.key), ?) > 0', caseless(q));
  }

  // Creation times never go back in the order of the keys: a span of time is a span of keys.
  if (createdAfter !== undefined) {
    const first = keyAt(database, '> ? ORDER BY created_at, key', createdAfter);
    if (first === undefined) return 'nothing';
    also(`${key} >= ?`, first);
  }
  if (createdBefore !== undefined) {
    const last = keyAt(database, '< ? ORDER BY created_at DESC, key DESC', createdBefore);
    if (last === undefined) return 'nothing';
    also(`${key} <= ?`, last);
  }
  if (before !== undefined) also(`${key} < ?`, before);

  const conditions = where.length > 0 ? `WHERE ${where.join(' AND ')}` : '';
  const sql = `SELECT ${COLUMNS} FROM ${from} ${conditions} ORDER BY ${key} DESC LIMIT ?`;
  return { sql, parameters: [...parameters, limit] };
}

function keyAt(database: Database.Database, condition: string, time: Date): number | undefined {
  return database
    .prepare<[number], { key: number }>(`SELECT key FROM conversations WHERE created_at ${condition} LIMIT 1`)
    .get(time.getTime())?.key;
}
