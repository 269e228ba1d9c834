import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type Ending, type Message, openingEvents } from '../../conversation/log/events.ts';
import {
  type AppendedEvents,
  type AppendOutcome,
  type ContextMessage,
  type ConversationCatalog,
  type ConversationFilter,
  type ConversationQueue,
  type ConversationRecord,
  type CreateOutcome,
  endOf,
  type LogEntry,
  type NewConversation,
  type Page,
  toContext,
} from '../../conversation/log/log.ts';
import type { LiveAnnouncer } from '../../conversation/stream/live.ts';
import { AppError } from '../../errors.ts';
import { RecentMessages } from '../recent-messages.ts';
import { Beginnings } from './beginnings.ts';
import { DATABASE_FILE, openDatabase, sizeOf } from './database.ts';
import { GroupCommit } from './group-commit.ts';
import { FIND_BY_ID, type ListedRow, listingQuery } from './listing.ts';
import { lockDirectory } from './lock.ts';
import { READ_ON, readLog } from './log.ts';
import { toMessage, toRecord } from './records.ts';
import { createWriter, type WriteOperation, type WriteResult } from './writer.ts';

export interface SqliteStorage extends ConversationQueue, ConversationCatalog {
  close(): void;
  /** US dollars that the replies since then cost, as far as that is known; for a day's budget. */
  spentSince(at: Date): number;
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

class Storage implements SqliteStorage {
  /** Reads, too: a connection of their own would find its pages out of date after every commit. */
  readonly #database: Database.Database;
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
    const write = createWriter(database);
    this.#commits = new GroupCommit(
      (group) => {
        const results = write(group);
        for (const [index, operation] of group.entries()) this.#remember(operation, results[index]);
        return results;
      },
      (operation, result) => {
        if (operation.kind === 'check') return;
        if (result.outcome === 'removed') live.removed(operation.id);
        else if (result.entries.length > 0) live.appended(operation.id, result.entries);
      },
    );
  }

  async addMessage(
    conversationId: string,
    expectedSeq: number,
    events: AppendedEvents,
  ): Promise<AppendOutcome> {
    const [{ message }] = events;
    const { outcome } = await this.#append({
      kind: 'append',
      id: conversationId,
      expectedSeq,
      entries: events.map(toEntry),
      message,
      end: endOf(events) ?? null,
    });
    return outcome as AppendOutcome;
  }

  async markTerminated(
    conversationId: string,
    ending: Ending,
  ): Promise<Exclude<AppendOutcome, 'sequence_conflict'>> {
    const { outcome } = await this.#append({
      kind: 'end',
      id: conversationId,
      at: Date.now(),
      ending,
    });
    return outcome as Exclude<AppendOutcome, 'sequence_conflict'>;
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
    if (messages.length > 0) this.#recent.set(conversationId, limit, messages);
    return messages;
  }

  async getLastSender(conversationId: string): Promise<string | undefined> {
    const [row] = this.#all<{ sender: string }>(
      'SELECT last_sender AS sender FROM conversations WHERE id = ?',
      conversationId,
    );
    return row?.sender;
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
    if (opening && afterSeq === 0 && limit > opening.length) {
      this.#openings.delete(conversationId);
      return opening;
    }
    return readLog(this.#statement<LogEntry>(READ_ON), conversationId, afterSeq, limit);
  }

  async create(conversation: NewConversation): Promise<CreateOutcome> {
    const { id, settings, createdAt, startedAt, traceparent, idempotency } = conversation;
    const [created, opening] = openingEvents(settings, createdAt, traceparent);
    const { outcome, replayed } = await this.#commits.submit({
      kind: 'create',
      id,
      createdAt: createdAt.getTime(),
      startedAt: startedAt?.getTime() ?? null,
      settings,
      opening: opening.message,
      entries: [toEntry(created), toEntry(opening)],
      idempotency,
    });
    if (replayed !== undefined) return { outcome: 'replayed', id: replayed };
    return { outcome: outcome === 'created' ? 'created' : 'idempotency_mismatch' };
  }

  async get(conversationId: string): Promise<ConversationRecord | undefined> {
    return this.#recordsOf(this.#all<ListedRow>(FIND_BY_ID, conversationId))[0];
  }

  async list(
    filter: ConversationFilter,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConversationRecord>> {
    const before = cursor === undefined ? undefined : parseListCursor(cursor);
    const query = listingQuery(this.#database, filter, before, limit + 1);
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
    const bySender = sender === undefined ? '' : `AND json ->> '$.message.sender' = ?`;
    const byContent = q === undefined ? '' : `AND instr(fold(json ->> '$.message.content'), fold(?)) > 0`;
    const rows = this.#all<{ json: string; seq: number }>(
      `SELECT seq, json FROM events
       WHERE conversation = (SELECT key FROM conversations WHERE id = ?) AND seq > ? AND type = 'message'
         ${bySender} ${byContent}
       ORDER BY seq LIMIT ?`,
      ...[conversationId, afterSeq, sender, q, limit + 1].filter((value) => value !== undefined),
    );
    return page(rows, limit, toMessage, ({ seq }) => String(seq));
  }

  async markStarted(conversationId: string, at: Date): Promise<void> {
    await this.#commits.submit({ kind: 'started', id: conversationId, at: at.getTime() });
  }

  async delete(conversationId: string): Promise<boolean> {
    const { outcome } = await this.#commits.submit({ kind: 'remove', id: conversationId });
    return outcome === 'removed';
  }

  async unfinished(): Promise<string[]> {
    const rows = this.#all<{ id: string }>(
      `SELECT id FROM conversations WHERE status IN ('running', 'queued') ORDER BY key`,
    );
    return rows.map(({ id }) => id);
  }

  spentSince(at: Date): number {
    const [row] = this.#all<{ usd: number | null }>(
      `SELECT sum(json ->> '$.message.metadata.costUsd') AS usd FROM events
       WHERE conversation IN (SELECT key FROM conversations WHERE ended_at IS NULL OR ended_at >= ?)
         AND type = 'message' AND json ->> '$.at' >= ?`,
      at.getTime(),
      at.toISOString(),
    );
    return row?.usd ?? 0;
  }

  fileBytes(): { database: number; wal: number } {
    const path = this.#database.name;
    return { database: sizeOf(path), wal: sizeOf(`${path}-wal`) };
  }

  close(): void {
    this.#commits.flush();
    this.#database.close();
    this.#lock.release();
  }

  async #append(operation: WriteOperation): Promise<WriteResult> {
    const startedAt = performance.now();
    try {
      return await this.#commits.submit(operation);
    } finally {
      this.#onAppend(performance.now() - startedAt);
    }
  }

  /** Follows what was committed, before anybody can read in between. */
  #remember(operation: WriteOperation, result: WriteResult | undefined): void {
    if (operation.kind === 'check') return;
    this.#openings.delete(operation.id);
    if (operation.kind === 'create' && result?.outcome === 'created') {
      this.#recent.set(operation.id, operation.settings.contextMessages, [toContext(operation.opening)]);
      if (operation.startedAt !== null) this.#openings.set(operation.id, [...operation.entries]);
    } else if (operation.kind === 'append' && result?.outcome === 'appended') {
      if (operation.end) this.#recent.drop(operation.id);
      else this.#recent.append(operation.id, operation.message);
    } else if (operation.kind === 'end' || operation.kind === 'remove') this.#recent.drop(operation.id);
    if (operation.kind === 'remove') this.#beginnings.drop(operation.id);
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

function toEntry(event: { seq: number; type: string }): LogEntry {
  return { seq: event.seq, type: event.type, json: JSON.stringify(event) };
}
