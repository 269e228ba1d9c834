import type Database from 'better-sqlite3';
import {
  type Ending,
  type Message,
  type TerminatedEvent,
  terminationEvent,
} from '../../conversation/log/events.ts';
import {
  type AppendOutcome,
  type CreateOutcome,
  IDEMPOTENCY_WINDOW_MS,
  type LogEntry,
} from '../../conversation/log/log.ts';
import type { ConversationSettings } from '../../conversation/log/settings.ts';
import { openTopicIndex } from './topics.ts';

/** One change of state, as plain data, so that it may cross to another thread. Times are milliseconds since 1970. */
export type WriteOperation =
  | {
      kind: 'create';
      id: string;
      createdAt: number;
      startedAt: number | null;
      settings: ConversationSettings;
      opening: Message;
      entries: readonly LogEntry[];
      idempotency: { key: string; bodyHash: string } | null;
    }
  | {
      kind: 'append';
      id: string;
      expectedSeq: number;
      entries: readonly LogEntry[];
      message: Message;
      end: TerminatedEvent | null;
    }
  | { kind: 'end'; id: string; at: number; ending: Ending }
  | { kind: 'started'; id: string; at: number }
  | { kind: 'remove'; id: string }
  /** Writes a page and changes nothing, to see that it can be done. */
  | { kind: 'check' };

export interface WriteResult {
  outcome: AppendOutcome | CreateOutcome['outcome'] | 'removed' | 'noted';
  /** What readers are to be told. */
  entries: readonly LogEntry[];
  /** The id of the conversation that an idempotency key stands for. */
  replayed?: string;
}

/** What has to be known of a conversation before it is written to. */
interface Row {
  readonly key: number | bigint;
  readonly isTerminated: boolean;
  lastSeq: number;
  /** The turns of each agent that has spoken, by name. */
  readonly agentTurns: Record<string, number>;
}

/** Rows kept in memory; the longest kept go first, and the next write to them reads them anew. */
const MOST_ROWS = 20_000;

const NOT_FOUND: WriteResult = { outcome: 'not_found', entries: [] };
const TERMINATED: WriteResult = { outcome: 'terminated', entries: [] };
const CONFLICT: WriteResult = { outcome: 'sequence_conflict', entries: [] };

/**
 * Carries out groups of operations. Each group is one transaction, with one fsync; within it each operation
 * has its own outcome, and one that is refused changes nothing. If the transaction fails, none of it is
 * written, and the error is thrown.
 */
export function createWriter(
  database: Database.Database,
): (group: readonly WriteOperation[]) => WriteResult[] {
  // Nobody else writes. Whoever reads from outside may keep the log from being emptied, but makes nobody wait.
  database.pragma('busy_timeout = 0');
  const find = database.prepare<
    [string],
    { key: number; status: string; last_seq: number; agent_turns: string }
  >('SELECT key, status, last_seq, agent_turns FROM conversations WHERE id = ?');
  const insertConversation = database.prepare(
    `INSERT INTO conversations (id, status, created_at, started_at, last_seq, last_sender, agent_turns)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertProvider = database.prepare(
    'INSERT INTO conversation_providers (provider, conversation) VALUES (?, ?)',
  );
  const topics = openTopicIndex(database);
  const insertEvent = database.prepare(
    'INSERT INTO events (conversation, seq, type, json) VALUES (?, ?, ?, ?)',
  );
  const updateAfterReply = database.prepare(
    `UPDATE conversations SET last_seq = ?, last_sender = ?, turns = ?, agent_turns = ?,
       input_tokens = input_tokens + ?, output_tokens = output_tokens + ?, cost_usd = cost_usd + ?
     WHERE key = ?`,
  );
  const updateAfterOther = database.prepare(
    'UPDATE conversations SET last_seq = ?, last_sender = ? WHERE key = ?',
  );
  const updateAfterEnd = database.prepare(
    `UPDATE conversations SET status = 'terminated', last_seq = ?, ended_at = ?,
       end_reason = ?, end_detail = ?, ended_by = ?
     WHERE key = ?`,
  );
  const updateStarted = database.prepare(
    `UPDATE conversations SET status = 'running', started_at = ? WHERE key = ? AND status = 'queued'`,
  );
  const findIdempotencyKey = database.prepare<[string, number], { id: string; body_hash: string }>(
    `SELECT c.id, i.body_hash FROM idempotency_keys i JOIN conversations c ON c.key = i.conversation
     WHERE i.key = ? AND i.created_at > ?`,
  );
  const insertIdempotencyKey = database.prepare(
    'INSERT OR REPLACE INTO idempotency_keys (key, body_hash, conversation, created_at) VALUES (?, ?, ?, ?)',
  );
  const forgetIdempotencyKeys = database.prepare('DELETE FROM idempotency_keys WHERE created_at <= ?');
  const removals = [
    'DELETE FROM events WHERE conversation = ?',
    'DELETE FROM conversation_providers WHERE conversation = ?',
    'DELETE FROM idempotency_keys WHERE conversation = ?',
    'DELETE FROM conversations WHERE key = ?',
  ].map((sql) => database.prepare<[number | bigint]>(sql));

  let latestCreation =
    database.prepare<[], { at: number | null }>('SELECT max(created_at) AS at FROM conversations').get()
      ?.at ?? 0;

  /** Rows as the transaction under way sees them, of conversations that are being written to; nobody else writes. */
  const rows = new Map<string, Row>();

  function rowOf(id: string): Row | undefined {
    const known = rows.get(id);
    if (known) return known;
    const found = find.get(id);
    if (!found) return undefined;
    const { key, status, last_seq: lastSeq } = found;
    const agentTurns = JSON.parse(found.agent_turns) as Row['agentTurns'];
    return keep(id, { key, isTerminated: status === 'terminated', lastSeq, agentTurns });
  }

  function keep(id: string, row: Row): Row {
    rows.set(id, row);
    if (rows.size > MOST_ROWS) rows.delete(rows.keys().next().value ?? '');
    return row;
  }

  function insertEntries(key: number | bigint, entries: readonly LogEntry[]): void {
    for (const { seq, type, json } of entries) insertEvent.run(key, seq, type, json);
  }

  function create(operation: Extract<WriteOperation, { kind: 'create' }>): WriteResult {
    const { id, createdAt, startedAt, settings, opening, entries, idempotency } = operation;
    const { topic, agents } = settings;
    if (idempotency) {
      const used = findIdempotencyKey.get(idempotency.key, createdAt - IDEMPOTENCY_WINDOW_MS);
      if (used && used.body_hash !== idempotency.bodyHash) {
        return { outcome: 'idempotency_mismatch', entries: [] };
      }
      if (used) return { outcome: 'replayed', entries: [], replayed: used.id };
      forgetIdempotencyKeys.run(createdAt - IDEMPOTENCY_WINDOW_MS);
    }
    // In the order of the keys this column never goes back, so that a span of time is a span of keys, also
    // after the machine's clock was set back. What a client sees is the time in the event.
    latestCreation = Math.max(latestCreation, createdAt);
    const status = startedAt === null ? 'queued' : 'running';
    const agentTurns = Object.fromEntries(agents.map(({ name }) => [name, 0]));
    const { lastInsertRowid: key } = insertConversation.run(
      id,
      status,
      latestCreation,
      startedAt,
      entries.length,
      opening.sender,
      JSON.stringify(agentTurns),
    );
    keep(id, { key, isTerminated: false, lastSeq: entries.length, agentTurns });
    for (const provider of new Set(agents.map((agent) => agent.provider))) insertProvider.run(provider, key);
    topics.add(key, topic);
    insertEntries(key, entries);
    if (idempotency) insertIdempotencyKey.run(idempotency.key, idempotency.bodyHash, key, createdAt);
    return { outcome: 'created', entries };
  }

  function append(operation: Extract<WriteOperation, { kind: 'append' }>): WriteResult {
    const { id, expectedSeq, entries, message, end } = operation;
    const row = rowOf(id);
    if (!row) return NOT_FOUND;
    if (row.isTerminated) return TERMINATED;
    if (row.lastSeq !== expectedSeq) return CONFLICT;
    const { turn, sender, role, metadata } = message;
    const { key, agentTurns } = row;
    insertEntries(key, entries);
    row.lastSeq += entries.length;
    if (role === 'agent') {
      agentTurns[sender] = (agentTurns[sender] ?? 0) + 1;
      const { inputTokens = 0, outputTokens = 0, costUsd = null } = metadata;
      const turns = JSON.stringify(agentTurns);
      updateAfterReply.run(row.lastSeq, sender, turn, turns, inputTokens, outputTokens, costUsd, key);
    } else updateAfterOther.run(row.lastSeq, sender, key);
    if (end) terminate(id, row, Date.parse(end.at), end);
    return { outcome: 'appended', entries };
  }

  function terminate(id: string, { key, lastSeq }: Row, at: number, { reason, detail, by }: Ending): void {
    updateAfterEnd.run(lastSeq, at, reason, detail ?? null, by, key);
    rows.delete(id);
  }

  function end({ id, at, ending }: Extract<WriteOperation, { kind: 'end' }>): WriteResult {
    const row = rowOf(id);
    if (!row) return NOT_FOUND;
    if (row.isTerminated) return TERMINATED;
    row.lastSeq++;
    const event = terminationEvent(row.lastSeq, new Date(at), ending);
    const entries = [{ seq: event.seq, type: event.type, json: JSON.stringify(event) }];
    insertEntries(row.key, entries);
    terminate(id, row, at, ending);
    return { outcome: 'appended', entries };
  }

  function carryOut(operation: WriteOperation): WriteResult {
    switch (operation.kind) {
      case 'create':
        return create(operation);
      case 'append':
        return append(operation);
      case 'end':
        return end(operation);
      case 'started': {
        const row = rowOf(operation.id);
        if (row) updateStarted.run(operation.at, row.key);
        return { outcome: 'noted', entries: [] };
      }
      case 'remove': {
        const row = rowOf(operation.id);
        if (!row) return NOT_FOUND;
        topics.remove(row.key);
        for (const removal of removals) removal.run(row.key);
        rows.delete(operation.id);
        return { outcome: 'removed', entries: [] };
      }
      case 'check':
        database.pragma(`user_version = ${Number(database.pragma('user_version', { simple: true }))}`);
        return { outcome: 'noted', entries: [] };
    }
  }

  /** The write-ahead log still holds the pages of what was removed; emptying it leaves no trace. */
  function emptyLog(): void {
    try {
      database.pragma('wal_checkpoint(TRUNCATE)');
    } catch {
      // The removal itself is durable. What could not be overwritten now is at the next removal, or when the
      // database is closed.
    }
  }

  const transaction = database.transaction((group: readonly WriteOperation[]) => group.map(carryOut));
  return (group) => {
    let results: WriteResult[];
    try {
      results = transaction.immediate(group);
    } catch (error) {
      // What was rolled back is not what the rows say.
      rows.clear();
      throw error;
    }
    if (results.some(({ outcome }) => outcome === 'removed')) emptyLog();
    return results;
  };
}
