import type Database from 'better-sqlite3';
import type { Message } from '../../conversation/log/events.ts';
import { IDEMPOTENCY_WINDOW_MS, type LogEntry, type RecordFields } from '../../conversation/log/log.ts';
import { writeDetails } from '../../conversation/log/record.ts';
import { facetsOf } from './facets.ts';
import { LAST_KEY, REMOVALS_KEPT } from './feed.ts';
import { messageWords } from './message-words.ts';
import type { WriteOperation, WriteResult } from './operations.ts';
import { scenarioWriter } from './scenarios.ts';
import { openTopicIndex } from './topics.ts';

/** What has to be known of a conversation before it is written to. */
interface Row {
  readonly key: number | bigint;
  readonly tenant: string;
  lastSeq: number;
  /** As the last record said; a queued conversation's is `running`. */
  status: RecordFields['status'];
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
  const find = database.prepare<[string], { key: number; tenant: string; status: string; last_seq: number }>(
    'SELECT key, tenant, status, last_seq FROM conversations WHERE id = ?',
  );
  const insertConversation = database.prepare(
    `INSERT INTO conversations (id, tenant, status, created_at, started_at, last_seq, last_sender,
       last_speaker, turns, agent_turns, input_tokens, output_tokens, cost_usd, details)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertFacet = database.prepare(
    'INSERT OR IGNORE INTO facets (tenant, name, value, conversation) VALUES (?, ?, ?, ?)',
  );
  const topics = openTopicIndex(database);
  const writeScenario = scenarioWriter(database);
  const insertEvent = database.prepare(
    'INSERT INTO events (key, conversation, seq, type, json) VALUES (?, ?, ?, ?, ?)',
  );
  const insertRemoval = database.prepare(
    `INSERT INTO feed (key, kind, tenant, id) SELECT ?, 'removed', tenant, id FROM conversations WHERE key = ?`,
  );
  const forgetRemovals = database.prepare(
    'DELETE FROM feed WHERE key <= (SELECT key FROM feed ORDER BY key DESC LIMIT 1 OFFSET ?)',
  );
  // Two, since an index is written anew for a column that is set, also where it stays as it was.
  const updateRecord = database.prepare(
    `UPDATE conversations SET last_seq = ?, last_sender = ?, last_speaker = ?, turns = ?,
       agent_turns = ?, input_tokens = ?, output_tokens = ?, cost_usd = ?, details = ?
     WHERE key = ?`,
  );
  const updateStatus = database.prepare(
    `UPDATE conversations SET status = iif(? = 'running' AND started_at IS NULL, 'queued', ?),
       ended_at = ?, end_reason = ?, end_detail = ?, ended_by = ?
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
    'DELETE FROM facets WHERE conversation = ?',
    'DELETE FROM idempotency_keys WHERE conversation = ?',
    'DELETE FROM conversations WHERE key = ?',
  ].map((sql) => database.prepare<[number | bigint]>(sql));

  const addSpending = database.prepare(
    `INSERT INTO spending (day, cost_usd) VALUES (?, ?)
     ON CONFLICT (day) DO UPDATE SET cost_usd = cost_usd + excluded.cost_usd`,
  );
  const addKeySpending = database.prepare(
    `INSERT INTO key_spending (day, key, tokens, cost_usd) VALUES (?, ?, ?, ?)
     ON CONFLICT (day, key) DO UPDATE SET tokens = tokens + excluded.tokens, cost_usd = cost_usd + excluded.cost_usd`,
  );

  /** The key of the last event or removal, in the order of the feed. Those of what was rolled back are left out. */
  let lastKey = database.prepare<[], number>(LAST_KEY).pluck().get() ?? 0;
  const words = messageWords(database, lastKey);
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
    const { key, tenant, last_seq: lastSeq } = found;
    const status = found.status === 'queued' ? 'running' : (found.status as Row['status']);
    return keep(id, { key, tenant, status, lastSeq });
  }

  function keep(id: string, row: Row): Row {
    rows.set(id, row);
    if (rows.size > MOST_ROWS) rows.delete(rows.keys().next().value ?? '');
    return row;
  }

  function insertEntries(
    { key, tenant }: Pick<Row, 'key' | 'tenant'>,
    entries: readonly LogEntry[],
    messages: readonly Message[],
  ): void {
    const firstKey = lastKey + 1;
    const firstSeq = entries[0]?.seq ?? 0;
    for (const { seq, type, json } of entries) insertEvent.run(++lastKey, key, seq, type, json);
    for (const message of messages) words.follow(firstKey + message.seq - firstSeq, key, tenant, message);
    words.retract(key, entries);
  }

  function writeStatus(key: number | bigint, { status, endedAt, ending }: RecordFields): void {
    const at = endedAt === null ? null : Date.parse(endedAt);
    const { reason = null, detail = null, by = null } = ending ?? {};
    updateStatus.run(status, status, at, reason, detail, by, key);
  }

  function create(operation: Extract<WriteOperation, { kind: 'create' }>): WriteResult {
    const { id, tenant, createdAt, startedAt, settings, entries, messages, record, idempotency } = operation;
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
    const { lastSeq, status } = record;
    const { lastInsertRowid: key } = insertConversation.run(
      id,
      tenant,
      status === 'running' && startedAt === null ? 'queued' : status,
      latestCreation,
      startedAt,
      lastSeq,
      ...columnsOf(record),
    );
    if (status === 'terminated') writeStatus(key, record);
    else keep(id, { key, tenant, status, lastSeq });
    for (const [name, value] of facetsOf(settings)) insertFacet.run(tenant, name, value, key);
    topics.add(key, settings.topic);
    insertEntries({ key, tenant }, entries, messages);
    if (idempotency) insertIdempotencyKey.run(idempotency.key, idempotency.bodyHash, key, createdAt);
    return { outcome: 'created', entries };
  }

  function append(operation: Extract<WriteOperation, { kind: 'append' }>): WriteResult {
    const { id, expectedSeq, entries, messages, record } = operation;
    const row = rowOf(id);
    if (!row) return NOT_FOUND;
    if (row.status === 'terminated') return TERMINATED;
    if (row.lastSeq !== expectedSeq) return CONFLICT;
    insertEntries(row, entries, messages);
    updateRecord.run(record.lastSeq, ...columnsOf(record), row.key);
    if (record.status !== row.status) {
      writeStatus(row.key, record);
      row.status = record.status;
    }
    row.lastSeq = record.lastSeq;
    if (row.status === 'terminated') rows.delete(id);
    return { outcome: 'appended', entries };
  }

  function carryOut(operation: WriteOperation): WriteResult {
    switch (operation.kind) {
      case 'create':
        return create(operation);
      case 'append':
        return append(operation);
      case 'started': {
        const row = rowOf(operation.id);
        if (row) updateStarted.run(operation.at, row.key);
        return { outcome: 'noted', entries: [] };
      }
      case 'remove': {
        const row = rowOf(operation.id);
        if (!row) return NOT_FOUND;
        topics.remove(row.key);
        insertRemoval.run(++lastKey, row.key);
        forgetRemovals.run(REMOVALS_KEPT);
        words.forget(row.key);
        for (const removal of removals) removal.run(row.key);
        rows.delete(operation.id);
        return { outcome: 'removed', entries: [] };
      }
      case 'spent':
        addSpending.run(operation.day, operation.usd);
        return { outcome: 'noted', entries: [] };
      case 'key spent':
        addKeySpending.run(operation.day, operation.key, operation.tokens, operation.usd);
        return { outcome: 'noted', entries: [] };
      case 'scenario':
        return { outcome: writeScenario(operation), entries: [] };
      case 'index':
        words.advance();
        return { outcome: 'noted', entries: [] };
      case 'tidy':
        return { outcome: words.tidy() ? 'noted' : 'tidied', entries: [] };
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
      words.rolledBack(lastKey);
      throw error;
    }
    if (results.some(({ outcome }) => outcome === 'tidied')) emptyLog();
    return results;
  };
}

/** The columns of a record that every append sets, as the statements list them. */
function columnsOf(record: RecordFields): (string | number | null)[] {
  const { lastSender, lastSpeaker, turns, agentTurns, usage } = record;
  const { inputTokens, outputTokens, costUsd } = usage;
  return [
    lastSender,
    lastSpeaker,
    turns,
    JSON.stringify(agentTurns),
    inputTokens,
    outputTokens,
    costUsd,
    writeDetails(record) ?? null,
  ];
}
