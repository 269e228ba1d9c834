import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { IDEMPOTENCY_WINDOW_MS, type LogEntry } from '../../conversation/log/log.ts';
import { writeDetails } from '../../conversation/log/record.ts';
import type { ConversationArchive, KeptConversation, Listed } from '../archive.ts';
import { StorageError } from '../storage-error.ts';
import { Beginnings } from './beginnings.ts';
import { DATABASE_FILE, openDatabase } from './database.ts';
import { facetsOf } from './facets.ts';
import { LAST_KEY } from './feed.ts';
import { FIND_BY_ID, type ListedRow } from './listing.ts';
import { lockDirectory } from './lock.ts';
import { READ_ON, readLog } from './log.ts';
import { toRecord } from './records.ts';
import { openTopicIndex, type TopicIndex } from './topics.ts';

const LISTED_AT_ONCE = 500;
/** Events in one transaction, so that not every conversation waits for an fsync of its own. */
const EVENTS_A_COMMIT = 4096;

/**
 * Opens the folder of a server that doesn't run, and holds it as a server would.
 *
 * @param mode whether the folder has to be there already
 * @throws StorageError where the folder is held, has no conversations to read, or can't be used
 */
export function openSqliteArchive(
  directory: string,
  holder: string,
  mode: 'source' | 'target',
): ConversationArchive {
  const path = join(directory, DATABASE_FILE);
  if (mode === 'source' && !existsSync(path)) throw new StorageError(`${directory} has no ${DATABASE_FILE}`);
  const lock = lockDirectory(directory, holder);
  try {
    return new SqliteArchive(openDatabase(path), lock);
  } catch (error) {
    lock.release();
    throw error;
  }
}

class SqliteArchive implements ConversationArchive {
  readonly #database: Database.Database;
  readonly #lock: { release: () => void };
  readonly #readOn: Database.Statement<unknown[], LogEntry>;
  readonly #insertEvent: Database.Statement;
  readonly #topics: TopicIndex;
  readonly #beginnings: Beginnings;
  /** Events of the transaction that is open. */
  #uncommitted = 0;

  constructor(database: Database.Database, lock: { release: () => void }) {
    this.#database = database;
    this.#lock = lock;
    this.#readOn = database.prepare<unknown[], LogEntry>(READ_ON);
    this.#insertEvent = database.prepare(
      `INSERT INTO events (key, conversation, seq, type, json) VALUES ((${LAST_KEY}) + 1, ?, ?, ?, ?)`,
    );
    this.#topics = openTopicIndex(database);
    this.#beginnings = new Beginnings(database);
  }

  async count(): Promise<number> {
    return this.#database.prepare('SELECT count(*) FROM conversations').pluck().get() as number;
  }

  async *conversations(): AsyncGenerator<Listed> {
    const next = this.#database.prepare<[number], Listed & { key: number }>(
      `SELECT key, id, created_at AS listedAt FROM conversations
       WHERE key > ? ORDER BY key LIMIT ${LISTED_AT_ONCE}`,
    );
    for (let rows = next.all(0); rows.length > 0; rows = next.all(rows.at(-1)?.key ?? 0)) {
      for (const { id, listedAt } of rows) yield { id, listedAt };
    }
  }

  async read(id: string): Promise<KeptConversation | undefined> {
    const rows = this.#database.prepare<[string], ListedRow>(FIND_BY_ID).all(id);
    const [found] = this.#beginnings.of(rows);
    if (!found) return undefined;
    const { row, created } = found;
    const held = this.#database
      .prepare<[number, number], { key: string; body_hash: string; created_at: number }>(
        'SELECT key, body_hash, created_at FROM idempotency_keys WHERE conversation = ? AND created_at > ?',
      )
      .get(row.key, Date.now() - IDEMPOTENCY_WINDOW_MS);
    const idempotency = held
      ? { key: { text: held.key }, bodyHash: held.body_hash, createdAt: held.created_at }
      : null;
    return { record: toRecord(row, created), idempotency };
  }

  async readOn(id: string, afterSeq: number, limit: number): Promise<LogEntry[]> {
    return readLog(this.#readOn, id, afterSeq, limit);
  }

  async isListed(id: string): Promise<boolean> {
    return this.#keyOf(id) !== undefined;
  }

  /** Whole or not at all: a conversation is written in one transaction, and may share it with others. */
  async restore(
    conversation: KeptConversation,
    listedAt: number,
    afterSeq: number,
    pages: AsyncIterable<readonly LogEntry[]>,
  ): Promise<boolean> {
    const { id } = conversation.record;
    const found = this.#database
      .prepare('SELECT max(seq) FROM events WHERE conversation = ?')
      .pluck()
      .get(this.#keyOf(id) ?? null) as number | null;
    if ((found ?? 0) !== afterSeq) throw new Error(`the log of ${id} does not end at ${afterSeq}`);
    if (!this.#database.inTransaction) this.#database.exec('BEGIN IMMEDIATE');
    this.#database.exec('SAVEPOINT conversation');
    try {
      const key = this.#writeRow(conversation, listedAt);
      for await (const page of pages) {
        for (const { seq, type, json } of page) this.#insertEvent.run(key, seq, type, json);
        this.#uncommitted += page.length;
      }
      const isKept = this.#writeKey(key, conversation);
      this.#database.exec('RELEASE conversation');
      if (this.#uncommitted >= EVENTS_A_COMMIT) this.#commit();
      return isKept;
    } catch (error) {
      // A full disk may have ended the transaction.
      if (this.#database.inTransaction) this.#database.exec('ROLLBACK TO conversation; RELEASE conversation');
      throw error;
    }
  }

  async close(): Promise<void> {
    try {
      this.#commit();
    } finally {
      this.#database.close();
      this.#lock.release();
    }
  }

  #commit(): void {
    if (this.#database.inTransaction) this.#database.exec('COMMIT');
    this.#uncommitted = 0;
  }

  #keyOf(id: string): number | undefined {
    return this.#database.prepare('SELECT key FROM conversations WHERE id = ?').pluck().get(id) as
      | number
      | undefined;
  }

  #writeRow({ record }: KeptConversation, listedAt: number): number {
    const { id, tenant, status, settings, usage, ending } = record;
    const isNew = this.#keyOf(id) === undefined;
    // In the order of the keys the times of creation never go back; see writer.ts.
    const key = this.#database
      .prepare(
        `INSERT INTO conversations (id, tenant, status, created_at, started_at, ended_at, last_seq, last_sender,
           last_speaker, turns, agent_turns, input_tokens, output_tokens, cost_usd, end_reason, end_detail, ended_by, details)
         VALUES (?, ?, ?, max(?, (SELECT ifnull(max(created_at), 0) FROM conversations)), ?, ?, ?, ?, ?, ?, ?, ?, ?,
           ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET status = excluded.status, started_at = excluded.started_at,
           ended_at = excluded.ended_at, last_seq = excluded.last_seq, last_sender = excluded.last_sender, last_speaker = excluded.last_speaker,
           turns = excluded.turns, agent_turns = excluded.agent_turns, input_tokens = excluded.input_tokens,
           output_tokens = excluded.output_tokens, cost_usd = excluded.cost_usd,
           end_reason = excluded.end_reason, end_detail = excluded.end_detail, ended_by = excluded.ended_by, details = excluded.details
         RETURNING key`,
      )
      .pluck()
      .get(
        id,
        tenant,
        status,
        listedAt,
        toMilliseconds(record.startedAt),
        toMilliseconds(record.endedAt),
        record.lastSeq,
        record.lastSender,
        record.lastSpeaker,
        record.turns,
        JSON.stringify(record.agentTurns),
        usage.inputTokens,
        usage.outputTokens,
        usage.costUsd,
        ending?.reason ?? null,
        ending?.detail ?? null,
        ending?.by ?? null,
        writeDetails(record) ?? null,
      ) as number;
    if (!isNew) return key;
    const insertFacet = this.#database.prepare(
      'INSERT OR IGNORE INTO facets (tenant, name, value, conversation) VALUES (?, ?, ?, ?)',
    );
    for (const [name, value] of facetsOf(settings)) insertFacet.run(tenant, name, value, key);
    this.#topics.add(key, settings.topic);
    return key;
  }

  #writeKey(conversation: number, { idempotency }: KeptConversation): boolean {
    if (!idempotency) return true;
    const { key, bodyHash, createdAt } = idempotency;
    // The text of a key can't be had from its hash.
    if (!('text' in key)) return false;
    const held = this.#database
      .prepare(
        `INSERT INTO idempotency_keys (key, body_hash, conversation, created_at) VALUES (?, ?, ?, ?)
         ON CONFLICT (key) DO UPDATE SET key = key WHERE conversation = excluded.conversation
         RETURNING key`,
      )
      .get(key.text, bodyHash, conversation, createdAt);
    return held !== undefined;
  }
}

function toMilliseconds(time: string | null): number | null {
  return time === null ? null : Date.parse(time);
}
