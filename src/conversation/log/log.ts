import type { ConversationEvent, Message } from './events.ts';
import type { ConversationRecord, RecordFields } from './record.ts';
import type { ConversationSettings } from './settings.ts';

export type { ConversationRecord, RecordFields } from './record.ts';

/** An event as it stands in the log: its own JSON text, so that it can be passed on without being read. */
export interface LogEntry {
  seq: number;
  type: string;
  json: string;
}

export function toEntry(event: { seq: number; type: string }): LogEntry {
  return { seq: event.seq, type: event.type, json: JSON.stringify(event) };
}

/** What the next speaker is shown of a message. */
export type ContextMessage = Pick<Message, 'seq' | 'sender' | 'content' | 'visibleTo' | 'retracted'>;

export function toContext({ seq, sender, content, visibleTo, retracted }: Message): ContextMessage {
  return {
    seq,
    sender,
    content,
    ...(visibleTo ? { visibleTo } : {}),
    ...(retracted ? { retracted } : {}),
  };
}

/** The messages among events. */
export function messagesIn(events: readonly ConversationEvent[]): Message[] {
  const messages: Message[] = [];
  for (const event of events) if (event.type === 'message') messages.push(event.message);
  return messages;
}

/** The messages among events, as a prompt needs them. */
export function contextIn(events: readonly ConversationEvent[]): ContextMessage[] {
  return messagesIn(events).map(toContext);
}

/**
 * What became of an append. Only `appended` wrote anything. `sequence_conflict`: the log's end is not where
 * the writer took it to be; it reads on.
 */
export type AppendOutcome = 'appended' | 'sequence_conflict' | 'terminated' | 'not_found';

/**
 * PORT: an append-only log for each conversation. It knows no type of event but that messages make the context.
 * An append is durable when its promise is fulfilled, and whoever follows the conversation live is told after
 * that and not before. All verbs throw AppError `overloaded` when the storage can't take more, and StorageRefusal
 * when it never will.
 */
export interface ConversationLog {
  /**
   * Appends events as one, and stores with them the record that they make. The first event's seq is
   * `expectedSeq + 1`, and behind the record's status `terminated` nothing is written.
   */
  append(
    conversationId: string,
    expectedSeq: number,
    events: readonly ConversationEvent[],
    record: RecordFields,
  ): Promise<AppendOutcome>;

  /**
   * Reads on: the events after a seq, in order, at most `limit`, and no further than the event with which they
   * reach PAGE_CHARACTERS. Empty at the end, and where there is no such conversation.
   */
  readOn(conversationId: string, afterSeq: number, limit: number): Promise<LogEntry[]>;

  /** The last `limit` messages, in order. */
  getContext(conversationId: string, limit: number): Promise<ContextMessage[]>;

  /** Undefined where there is no such conversation. */
  isTerminated(conversationId: string): Promise<boolean | undefined>;

  /** Fulfilled when the storage can be written; else an error that says what is wrong. */
  healthCheck(): Promise<void>;
}

/** Where a page of events is full, in characters of their JSON, whatever its limit. */
export const PAGE_CHARACTERS = 1024 * 1024;

/** Whether a page that `readOn` gave was the last: neither its limit nor its size was reached. */
export function isLastPage(page: readonly LogEntry[], limit: number): boolean {
  if (page.length >= limit) return false;
  return page.reduce((sum, { json }) => sum + json.length, 0) < PAGE_CHARACTERS;
}

/** Stands for all tenants together, which only an administrator and the platform itself may ask for. */
export const EVERY_TENANT = Symbol('every tenant');
export type TenantScope = string | typeof EVERY_TENANT;

/** A log that is to be made: an append to nothing. */
export interface NewConversation {
  id: string;
  tenant: string;
  /** The name of the API key that makes it. */
  key?: string | undefined;
  settings: ConversationSettings;
  createdAt: Date;
  /** Null where it has to wait for a place. */
  startedAt: Date | null;
  /** All events that it begins with, the first of them `conversation.created`. */
  events: readonly ConversationEvent[];
  /** What they make. */
  record: RecordFields;
  /** A client's key, already scoped to who may use it, and the hash of its body. */
  idempotency: { key: string; bodyHash: string } | null;
}

/** `replayed`: the key was used before, with the same body, for the conversation with this id. */
export type CreateOutcome =
  | { outcome: 'created' }
  | { outcome: 'replayed'; id: string }
  | { outcome: 'idempotency_mismatch' };

export interface ConversationFilter {
  status?: ConversationRecord['status'] | undefined;
  provider?: string | undefined;
  /** Looked for in topics, anywhere, without case. */
  q?: string | undefined;
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  /** Entries of the metadata that it must have; values as texts. */
  labels?: Readonly<Record<string, string>> | undefined;
}

export interface Page<T> {
  items: T[];
  /** Null at the end. */
  nextCursor: string | null;
}

/** PORT: what is asked about conversations from outside: to make, find and remove them. */
export interface ConversationCatalog {
  /** Writes the events, the record and the idempotency key as one. */
  create(conversation: NewConversation): Promise<CreateOutcome>;

  /** Undefined also where it is another tenant's. */
  get(tenant: TenantScope, conversationId: string): Promise<ConversationRecord | undefined>;

  /**
   * Newest first.
   *
   * @throws AppError `invalid_cursor`
   */
  list(
    tenant: TenantScope,
    filter: ConversationFilter,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConversationRecord>>;

  /** Messages after a seq, in order; the next cursor is the seq of the last one looked at. */
  messages(
    conversationId: string,
    filter: { sender?: string | undefined; q?: string | undefined },
    page: { limit: number; afterSeq: number },
  ): Promise<Page<Message>>;

  /** Notes that a queued conversation runs now. */
  markStarted(conversationId: string, at: Date): Promise<void>;

  /** Removes every trace of it, its idempotency key too. False where the tenant had none. */
  delete(tenant: TenantScope, conversationId: string): Promise<boolean>;

  /** The ids of conversations that are to run, oldest first: what a start goes on with. Paused ones are not. */
  unfinished(): Promise<string[]>;
}

/** How long an idempotency key is remembered: 24 hours, in milliseconds. */
export const IDEMPOTENCY_WINDOW_MS = 24 * 60 * 60 * 1000;

/** The record of a conversation right after it was made. */
export function newRecord(conversation: NewConversation): ConversationRecord {
  const { id, tenant, settings, createdAt, startedAt, record, events } = conversation;
  const [created] = events;
  return {
    ...record,
    id,
    tenant,
    settings,
    status: record.status === 'running' && startedAt === null ? 'queued' : record.status,
    createdAt: createdAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
    forkedFrom: (created?.type === 'conversation.created' && created.forkedFrom) || null,
  };
}
