import type Database from 'better-sqlite3';
import { caseless } from '../../conversation/log/caseless.ts';
import { type ConversationFilter, EVERY_TENANT, type TenantScope } from '../../conversation/log/log.ts';
import { topicSearch } from './topics.ts';

/** A row of the catalog. The settings are in the log's first event; see beginnings.ts. */
export interface ListedRow {
  key: number;
  id: string;
  status: 'queued' | 'running' | 'paused' | 'terminated';
  started_at: number | null;
  ended_at: number | null;
  last_seq: number;
  last_sender: string;
  last_speaker: string | null;
  turns: number;
  agent_turns: string;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number | null;
  end_reason: string | null;
  end_detail: string | null;
  ended_by: string | null;
  details: string | null;
}

const COLUMNS = `c.key, c.id, c.status, c.started_at, c.ended_at, c.last_seq, c.last_sender,
  c.last_speaker, c.turns, c.agent_turns, c.input_tokens, c.output_tokens, c.cost_usd, c.end_reason, c.end_detail, c.ended_by, c.details`;

export const FIND_BY_ID = `SELECT ${COLUMNS} FROM conversations c WHERE c.id = ?`;
export const FIND_OF_TENANT = `${FIND_BY_ID} AND c.tenant = ?`;

/**
 * The query for one page of conversations, newest first. It walks down the index of the filter that leaves
 * the least, and stops when the page is full.
 *
 * @param before the key that the page begins below
 */
export function listingQuery(
  database: Database.Database,
  tenant: TenantScope,
  filter: ConversationFilter,
  before: number | undefined,
  limit: number,
): { sql: string; parameters: (string | number)[] } | 'nothing' {
  const { status, provider, q, createdAfter, createdBefore } = filter;
  const facets = Object.entries(filter.labels ?? {}).map(([name, value]): [name: string, value: string] => [
    `label.${name}`,
    value,
  ]);
  if (provider !== undefined) facets.push(['provider', provider]);
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
  } else if (facets.length > 0 && !few) {
    const [name, value] = facets.shift() ?? ['', ''];
    from = 'facets p CROSS JOIN conversations c ON c.key = p.conversation';
    key = 'p.conversation';
    also('p.name = ? AND p.value = ?', name, value);
    if (tenant !== EVERY_TENANT) also('p.tenant = ?', tenant);
  }
  if (tenant !== EVERY_TENANT && key !== 'p.conversation') also('c.tenant = ?', tenant);
  if (status !== undefined) also('c.status = ?', status);
  for (const facet of facets) {
    also('EXISTS (SELECT 1 FROM facets WHERE name = ? AND value = ? AND conversation = c.key)', ...facet);
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
