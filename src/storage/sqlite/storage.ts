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
  EVERY_TENANT,
  isLastPage,
  type LogEntry,
  messagesIn,
  type NewConversation,
  type Page,
  type RecordFields,
  type TenantScope,
  toContext,
  toEntry,
} from '../../conversation/log/log.ts';
import type { LiveAnnouncer } from '../../conversation/stream/live.ts';
import { MessagePage } from '../message-page.ts';
import { RecentMessages } from '../recent-messages.ts';
import { Beginnings } from './beginnings.ts';
import { SqliteCatalog } from './catalog.ts';
import { DATABASE_FILE, openDatabase, openDatabaseToRead, sizeOf } from './database.ts';
import { SqliteFeed } from './feed.ts';
import { GroupCommit } from './group-commit.ts';
import { lockDirectory } from './lock.ts';
import { READ_ON, readLog } from './log.ts';
import type { WriteOperation, WriteResult } from './operations.ts';
import { toMessage } from './records.ts';
import { SqliteScenarios } from './scenarios.ts';
import { SqliteSearch } from './search.ts';
import { SqliteSpending } from './spending.ts';
import { Statements } from './statements.ts';
import { createWriter } from './writer.ts';

export interface SqliteStorage extends ConversationLog, ConversationCatalog {
  readonly scenarios: SqliteScenarios;
  readonly feed: ConversationFeed;
  readonly search: SqliteSearch;
  close(): void;
  /** What calls have cost, by days. */
  readonly spending: SqliteSpending;
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
  readonly spending: SqliteSpending;
  readonly #lock: { release: () => void };
  readonly #onAppend: (milliseconds: number) => void;
  readonly #commits: GroupCommit;
  readonly #recent = new RecentMessages();
  readonly #beginnings: Beginnings;
  /** The logs of conversations that began this moment, until their runs read them: no more than run at once. */
  readonly #openings = new Map<string, LogEntry[]>();
  readonly #statements: Statements;
  readonly #catalog: SqliteCatalog;

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
    this.#statements = new Statements(database);
    this.#catalog = new SqliteCatalog(this.#statements, this.#beginnings);
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
    const submit = (operation: WriteOperation) => this.#commits.submit(operation);
    this.scenarios = new SqliteScenarios(database, submit);
    this.search = new SqliteSearch(database, this.#beginnings, submit);
    this.spending = new SqliteSpending(database, submit);
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
        messages: messagesIn(events),
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
    const rows = this.#statements.all<{ json: string }>(
      `SELECT json FROM events
       WHERE conversation = (SELECT key FROM conversations WHERE id = ?) AND type = 'message'
       ORDER BY seq DESC LIMIT ?`,
      conversationId,
      limit,
    );
    const messages = rows.map((row) => toContext(toMessage(row))).reverse();
    const [end] = this.#statements.all<{ seq: number }>(
      'SELECT last_seq AS seq FROM conversations WHERE id = ?',
      conversationId,
    );
    if (end) this.#recent.set(conversationId, limit, messages, end.seq);
    return messages;
  }

  async isTerminated(conversationId: string): Promise<boolean | undefined> {
    const [row] = this.#statements.all<{ status: string }>(
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
    return readLog(this.#statements.of<LogEntry>(READ_ON), conversationId, afterSeq, limit);
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
      messages: messagesIn(events),
      record,
      idempotency,
    });
    if (replayed !== undefined) return { outcome: 'replayed', id: replayed };
    return { outcome: outcome === 'created' ? 'created' : 'idempotency_mismatch' };
  }

  async get(tenant: TenantScope, conversationId: string): Promise<ConversationRecord | undefined> {
    return this.#catalog.get(tenant, conversationId);
  }

  async list(
    tenant: TenantScope,
    filter: ConversationFilter,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConversationRecord>> {
    return this.#catalog.list(tenant, filter, page);
  }

  async messages(
    conversationId: string,
    { sender, q }: { sender?: string | undefined; q?: string | undefined },
    { limit, afterSeq }: { limit: number; afterSeq: number },
  ): Promise<Page<Message>> {
    const page = new MessagePage({ sender, q }, limit);
    const rows = this.#statements
      .of<{ json: string }>(
        `SELECT json FROM events
       WHERE conversation = (SELECT key FROM conversations WHERE id = ?) AND seq > ? AND type = 'message'
       ORDER BY seq`,
      )
      .iterate(conversationId, afterSeq);
    for (const row of rows) {
      if (!page.look(toMessage(row), row.json.length)) return page.end(false);
    }
    return page.end(true);
  }

  async markStarted(conversationId: string, at: Date): Promise<void> {
    await this.#commits.submit({ kind: 'started', id: conversationId, at: at.getTime() });
  }

  async delete(tenant: TenantScope, conversationId: string): Promise<boolean> {
    if (tenant !== EVERY_TENANT && !this.#catalog.has(tenant, conversationId)) return false;
    const { outcome } = await this.#commits.submit({ kind: 'remove', id: conversationId });
    if (outcome !== 'removed') return false;
    await this.search.tidied();
    return true;
  }

  async unfinished(): Promise<string[]> {
    return this.#catalog.unfinished();
  }

  ownerOf(conversationId: string): { tenant: string; key: string | undefined } {
    return this.#catalog.ownerOf(conversationId);
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
      this.#recent.set(id, settings.contextMessages, messages.map(toContext), record.lastSeq);
      if (startedAt !== null) this.#openings.set(id, [...entries]);
    } else if (operation.kind === 'append' && result?.outcome === 'appended') {
      const { expectedSeq, messages, record } = operation;
      if (record.status === 'terminated') this.#recent.drop(id);
      else this.#recent.follow(id, expectedSeq, messages.map(toContext), record.lastSeq);
    } else if (operation.kind === 'remove') {
      this.#recent.drop(id);
      this.#beginnings.drop(id);
    }
  }
}
