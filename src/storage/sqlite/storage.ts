import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { ConversationEvent, Message } from '../../conversation/log/events.ts';
import type { ConversationFeed } from '../../conversation/log/feed.ts';
import {
  type AppendOutcome,
  type ContextMessage,
  type ConversationCatalog,
  type ConversationFilter,
  type ConversationLog,
  type ConversationRecord,
  type CreateOutcome,
  contextIn,
  EVERY_TENANT,
  isLastPage,
  type LogEntry,
  type NewConversation,
  type Page,
  type RecordFields,
  type TenantScope,
  toContext,
  toEntry,
} from '../../conversation/log/log.ts';
import type { LiveAnnouncer } from '../../conversation/stream/live.ts';
import { AppError } from '../../errors.ts';
import { DEFAULT_TENANT } from '../../protocol/events.ts';
import { MessagePage } from '../message-page.ts';
import { RecentMessages } from '../recent-messages.ts';
import { Beginnings } from './beginnings.ts';
import { DATABASE_FILE, openDatabase, openDatabaseToRead, sizeOf } from './database.ts';
import { SqliteFeed } from './feed.ts';
import { GroupCommit } from './group-commit.ts';
import { FIND_BY_ID, FIND_OF_TENANT, type ListedRow, listingQuery } from './listing.ts';
import { lockDirectory } from './lock.ts';
import { READ_ON, readLog } from './log.ts';
import { toMessage, toRecord } from './records.ts';
import { SqliteScenarios } from './scenarios.ts';
import { SqliteSearch } from './search.ts';
import { createWriter, type WriteOperation, type WriteResult } from './writer.ts';

export interface SqliteStorage extends ConversationLog, ConversationCatalog {
  readonly scenarios: SqliteScenarios;
  readonly feed: ConversationFeed;
  readonly search: SqliteSearch;
  close(): void;
  /** US dollars that calls of a day (UTC, `2026-01-31`) have cost, as far as that was noted. */
  spentOn(day: string): number;
  /** Notes what a call has cost. */
  noteSpending(day: string, usd: number): Promise<void>;
  /** What calls of a key's conversations have taken on a day, as far as that was noted. */
  spentBy(day: string, key: string): { tokens: number; costUsd: number };
  /** Notes what a call took. */
  noteKeySpending(day: string, key: string, took: { tokens: number; costUsd: number }): Promise<void>;
  /** Whose a conversation is: its tenant, and the API key that made it. */
  ownerOf(conversationId: string): { tenant: string; key: string | undefined };
  /** The sizes of its files. */
  fileBytes(): { database: number; wal: number };
}

/**
 * The embedded storage: one SQLite file in a folder that this process holds alone.
 *
 * @param holder one line that says who holds the folder, for another process that tries
 * @param onAppend told how long each append took, in milliseconds
 * @throws StorageError where the folder is held, or the file can't be used
 */
export function openSqliteStorage(
  directory: string,
  holder: string,
  live: LiveAnnouncer,
  onAppend: (milliseconds: number) => void = () => {},
): SqliteStorage {
  const lock = lockDirectory(directory, holder);
  try {
    return new Storage(openDatabase(join(directory, DATABASE_FILE)), live, lock, onAppend);
  } catch (error) {
    lock.release();
    throw error;
  }
}

/**
 * What a folder holds, to be read beside the process that has it. Every write fails.
 *
 * @throws StorageError where the file can't be used
 */
export function readSqliteStorage(directory: string, live: LiveAnnouncer): SqliteStorage {
  const database = openDatabaseToRead(join(directory, DATABASE_FILE));
  return new Storage(database, live, { release: () => {} }, () => {});
}

class Storage implements SqliteStorage {
  /** Reads, too: a connection of their own would find its pages out of date after every commit. */
  readonly #database: Database.Database;
  readonly scenarios: SqliteScenarios;
  readonly feed: SqliteFeed;
  readonly search: SqliteSearch;
  readonly #lock: { release: () => void };
  readonly #onAppend: (milliseconds: number) => void;
  readonly #commits: GroupCommit;
  readonly #recent = new RecentMessages();
  readonly #beginnings: Beginnings;
  /** The logs of conversations that began this moment, until their runs read them: no more than run at once. */
  readonly #openings = new Map<string, LogEntry[]>();
  readonly #statements = new Map<string, Database.Statement>();

  constructor(
    database: Database.Database,
    live: LiveAnnouncer,
    lock: { release: () => void },
    onAppend: (milliseconds: number) => void,
  ) {
    this.#database = database;
    this.#lock = lock;
    this.#onAppend = onAppend;
    this.#beginnings = new Beginnings(database);
    this.feed = new SqliteFeed(database);
    const write = createWriter(database);
    this.#commits = new GroupCommit(
      (group) => {
        const results = write(group);
        for (const [index, operation] of group.entries()) this.#remember(operation, results[index]);
        return results;
      },
      (operation, result) => {
        if (!('id' in operation)) return;
        if (result.outcome === 'removed') live.removed(operation.id);
        else if (result.entries.length > 0) live.appended(operation.id, result.entries);
        else return;
        this.feed.grew();
      },
    );
    this.scenarios = new SqliteScenarios(database, (operation) => this.#commits.submit(operation));
    this.search = new SqliteSearch(database, this.#beginnings, (operation) =>
      this.#commits.submit(operation),
    );
  }

  async append(
    conversationId: string,
    expectedSeq: number,
    events: readonly ConversationEvent[],
    record: RecordFields,
  ): Promise<AppendOutcome> {
    const startedAt = performance.now();
    try {
      const { outcome } = await this.#commits.submit({
        kind: 'append',
        id: conversationId,
        expectedSeq,
        entries: events.map(toEntry),
        messages: contextIn(events),
        record,
      });
      return outcome as AppendOutcome;
    } finally {
      this.#onAppend(performance.now() - startedAt);
    }
  }

  async getContext(conversationId: string, limit: number): Promise<ContextMessage[]> {
    const remembered = this.#recent.get(conversationId, limit);
    if (remembered) return remembered;
    const rows = this.#all<{ json: string }>(
      `SELECT json FROM events
       WHERE conversation = (SELECT key FROM conversations WHERE id = ?) AND type = 'message'
       ORDER BY seq DESC LIMIT ?`,
      conversationId,
      limit,
    );
    const messages = rows.map((row) => toContext(toMessage(row))).reverse();
    const [end] = this.#all<{ seq: number }>(
      'SELECT last_seq AS seq FROM conversations WHERE id = ?',
      conversationId,
    );
    if (end) this.#recent.set(conversationId, limit, messages, end.seq);
    return messages;
  }

  async isTerminated(conversationId: string): Promise<boolean | undefined> {
    const [row] = this.#all<{ status: string }>(
      'SELECT status FROM conversations WHERE id = ?',
      conversationId,
    );
    return row && row.status === 'terminated';
  }

  async healthCheck(): Promise<void> {
    await this.#commits.submit({ kind: 'check' });
  }

  async readOn(conversationId: string, afterSeq: number, limit: number): Promise<LogEntry[]> {
    const opening = this.#openings.get(conversationId);
    if (opening && afterSeq === 0 && isLastPage(opening, limit)) {
      this.#openings.delete(conversationId);
      return opening;
    }
    return readLog(this.#statement<LogEntry>(READ_ON), conversationId, afterSeq, limit);
  }

  async create(conversation: NewConversation): Promise<CreateOutcome> {
    const { id, tenant, settings, createdAt, startedAt, events, record, idempotency } = conversation;
    const { outcome, replayed } = await this.#commits.submit({
      kind: 'create',
      id,
      tenant,
      createdAt: createdAt.getTime(),
      startedAt: startedAt?.getTime() ?? null,
      settings,
      entries: events.map(toEntry),
      messages: contextIn(events),
      record,
      idempotency,
    });
    if (replayed !== undefined) return { outcome: 'replayed', id: replayed };
    return { outcome: outcome === 'created' ? 'created' : 'idempotency_mismatch' };
  }

  async get(tenant: TenantScope, conversationId: string): Promise<ConversationRecord | undefined> {
    return this.#recordsOf(this.#rowsOf(tenant, conversationId))[0];
  }

  async list(
    tenant: TenantScope,
    filter: ConversationFilter,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConversationRecord>> {
    const before = cursor === undefined ? undefined : parseListCursor(cursor);
    const query = listingQuery(this.#database, tenant, filter, before, limit + 1);
    if (query === 'nothing') return { items: [], nextCursor: null };
    const rows = this.#all<ListedRow>(query.sql, ...query.parameters);
    const { items, nextCursor } = page(
      rows,
      limit,
      (row) => row,
      ({ key }) => `k${key.toString(36)}`,
    );
    return { items: this.#recordsOf(items), nextCursor };
  }

  async messages(
    conversationId: string,
    { sender, q }: { sender?: string | undefined; q?: string | undefined },
    { limit, afterSeq }: { limit: number; afterSeq: number },
  ): Promise<Page<Message>> {
    const page = new MessagePage({ sender, q }, limit);
    const rows = this.#statement<{ json: string }>(
      `SELECT json FROM events
       WHERE conversation = (SELECT key FROM conversations WHERE id = ?) AND seq > ? AND type = 'message'
       ORDER BY seq`,
    ).iterate(conversationId, afterSeq);
    for (const row of rows) {
      if (!page.look(toMessage(row), row.json.length)) return page.end(false);
    }
    return page.end(true);
  }

  async markStarted(conversationId: string, at: Date): Promise<void> {
    await this.#commits.submit({ kind: 'started', id: conversationId, at: at.getTime() });
  }

  async delete(tenant: TenantScope, conversationId: string): Promise<boolean> {
    if (tenant !== EVERY_TENANT && this.#rowsOf(tenant, conversationId).length === 0) return false;
    const { outcome } = await this.#commits.submit({ kind: 'remove', id: conversationId });
    if (outcome !== 'removed') return false;
    await this.search.tidied();
    return true;
  }

  async unfinished(): Promise<string[]> {
    const rows = this.#all<{ id: string }>(
      `SELECT id FROM conversations WHERE status IN ('running', 'queued') ORDER BY key`,
    );
    return rows.map(({ id }) => id);
  }

  spentOn(day: string): number {
    const [row] = this.#all<{ usd: number }>('SELECT cost_usd AS usd FROM spending WHERE day = ?', day);
    return row?.usd ?? 0;
  }

  async noteSpending(day: string, usd: number): Promise<void> {
    await this.#commits.submit({ kind: 'spent', day, usd });
  }

  spentBy(day: string, key: string): { tokens: number; costUsd: number } {
    const [row] = this.#all<{ tokens: number; costUsd: number }>(
      'SELECT tokens, cost_usd AS costUsd FROM key_spending WHERE day = ? AND key = ?',
      day,
      key,
    );
    return row ?? { tokens: 0, costUsd: 0 };
  }

  async noteKeySpending(
    day: string,
    key: string,
    { tokens, costUsd }: { tokens: number; costUsd: number },
  ): Promise<void> {
    await this.#commits.submit({ kind: 'key spent', day, key, tokens, usd: costUsd });
  }

  ownerOf(conversationId: string): { tenant: string; key: string | undefined } {
    const [row] = this.#all<{ tenant: string; key: string | null }>(
      `SELECT c.tenant, e.json ->> '$.key' AS key
       FROM conversations c JOIN events e ON e.conversation = c.key AND e.seq = 1 WHERE c.id = ?`,
      conversationId,
    );
    return { tenant: row?.tenant ?? DEFAULT_TENANT, key: row?.key ?? undefined };
  }

  fileBytes(): { database: number; wal: number } {
    const path = this.#database.name;
    return { database: sizeOf(path), wal: sizeOf(`${path}-wal`) };
  }

  close(): void {
    this.search.close();
    this.#commits.flush();
    this.#database.close();
    this.#lock.release();
  }

  /** Follows what was committed, before anybody can read in between. */
  #remember(operation: WriteOperation, result: WriteResult | undefined): void {
    if (!('id' in operation)) return;
    const { id } = operation;
    if ('messages' in operation) this.search.appended(operation.messages.length);
    this.#openings.delete(id);
    if (operation.kind === 'create' && result?.outcome === 'created') {
      const { messages, settings, record, entries, startedAt } = operation;
      this.#recent.set(id, settings.contextMessages, messages, record.lastSeq);
      if (startedAt !== null) this.#openings.set(id, [...entries]);
    } else if (operation.kind === 'append' && result?.outcome === 'appended') {
      const { expectedSeq, messages, record } = operation;
      if (record.status === 'terminated') this.#recent.drop(id);
      else this.#recent.follow(id, expectedSeq, messages, record.lastSeq);
    } else if (operation.kind === 'remove') {
      this.#recent.drop(id);
      this.#beginnings.drop(id);
    }
  }

  #rowsOf(tenant: TenantScope, conversationId: string): ListedRow[] {
    return tenant === EVERY_TENANT
      ? this.#all<ListedRow>(FIND_BY_ID, conversationId)
      : this.#all<ListedRow>(FIND_OF_TENANT, conversationId, tenant);
  }

  #recordsOf(rows: readonly ListedRow[]): ConversationRecord[] {
    return this.#beginnings.of(rows).map(({ row, created }) => toRecord(row, created));
  }

  #all<T>(sql: string, ...parameters: (string | number)[]): T[] {
    return this.#statement<T>(sql).all(...parameters);
  }

  #statement<T>(sql: string): Database.Statement<unknown[], T> {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement as Database.Statement<unknown[], T>;
  }
}

function page<Row, Item>(
  rows: Row[],
  limit: number,
  toItem: (row: Row) => Item,
  cursorOf: (row: Row) => string,
): Page<Item> {
  const last = rows.length > limit ? rows[limit - 1] : undefined;
  return { items: rows.slice(0, limit).map(toItem), nextCursor: last ? cursorOf(last) : null };
}

function parseListCursor(cursor: string): number {
  if (!/^k[\da-z]{1,10}$/.test(cursor)) throw new AppError('invalid_cursor', 'The cursor is malformed');
  return Number.parseInt(cursor.slice(1), 36);
}
