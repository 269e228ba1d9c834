import type { Usage } from '../../protocol/conversation.ts';
import type { Ending, Message, MessageEvent, NudgedEvent, TerminatedEvent } from './events.ts';
import type { ConversationSettings } from './settings.ts';
import { NO_USAGE } from './state.ts';

/** An event as it stands in the log: its own JSON text, so that it can be passed on without being read. */
export interface LogEntry {
  seq: number;
  type: string;
  json: string;
}

/** What the next speaker is shown of a message. */
export type ContextMessage = Pick<Message, 'seq' | 'sender' | 'content'>;

export function toContext({ seq, sender, content }: Message): ContextMessage {
  return { seq, sender, content };
}

/** A message, and what follows from it at once. */
export type AppendedEvents = readonly [MessageEvent] | readonly [MessageEvent, NudgedEvent | TerminatedEvent];

/** The end that comes with a message; undefined where the conversation goes on. */
export function endOf([, second]: AppendedEvents): TerminatedEvent | undefined {
  return second?.type === 'conversation.terminated' ? second : undefined;
}

/**
 * What became of an append. Only `appended` wrote anything. `sequence_conflict`: the log's end is not where
 * the writer took it to be; it drops what it has and reads on.
 */
export type AppendOutcome = 'appended' | 'sequence_conflict' | 'terminated' | 'not_found';

/**
 * PORT: the shared queue, an append-only log for each conversation. An append is durable when its promise
 * is fulfilled, and whoever follows the conversation live is told after that and not before. All verbs throw
 * AppError `overloaded` when the storage can't take more.
 */
export interface ConversationQueue {
  /**
   * Appends a message and what follows from it, as one: the conversation's end where it ends with it, or the
   * moderator's nudge. The first event's seq is `expectedSeq + 1`.
   */
  addMessage(conversationId: string, expectedSeq: number, events: AppendedEvents): Promise<AppendOutcome>;

  /** The last `limit` messages, in order. */
  getContext(conversationId: string, limit: number): Promise<ContextMessage[]>;

  /** Who sent the last message; undefined where there is no such conversation. */
  getLastSender(conversationId: string): Promise<string | undefined>;

  /**
   * Ends a conversation wherever its log stands. Once it is ended, by whomever, nothing is written and the
   * answer is `terminated`.
   */
  markTerminated(
    conversationId: string,
    ending: Ending,
  ): Promise<Exclude<AppendOutcome, 'sequence_conflict'>>;

  /** Undefined where there is no such conversation. */
  isTerminated(conversationId: string): Promise<boolean | undefined>;

  /** Fulfilled when the storage can be written; else an error that says what is wrong. */
  healthCheck(): Promise<void>;

  /**
   * Reads on: the events after a seq, in order, at most `limit`, and no further than the event with which they
   * reach PAGE_CHARACTERS. Empty at the end, and where there is no such conversation.
   */
  readOn(conversationId: string, afterSeq: number, limit: number): Promise<LogEntry[]>;
}

/** Where a page of events is full, in characters of their JSON, whatever its limit. */
export const PAGE_CHARACTERS = 1024 * 1024;

/** Whether a page that `readOn` gave was the last: neither its limit nor its size was reached. */
export function isLastPage(page: readonly LogEntry[], limit: number): boolean {
  if (page.length >= limit) return false;
  return page.reduce((sum, { json }) => sum + json.length, 0) < PAGE_CHARACTERS;
}

/** A conversation as the catalog knows it: derived from its log in the same transaction as each append. */
export interface ConversationRecord {
  id: string;
  status: 'queued' | 'running' | 'paused' | 'terminated';
  settings: ConversationSettings;
  turns: number;
  /** The turns of each agent, in the order of the settings. */
  agentTurns: readonly number[];
  usage: Usage;
  lastSeq: number;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  ending: Ending | null;
}

export interface NewConversation {
  id: string;
  settings: ConversationSettings;
  createdAt: Date;
  /** Null where it has to wait for a place. */
  startedAt: Date | null;
  /** Kept in the log's first event. */
  traceparent?: string | undefined;
  /** A client's key, already scoped to who may use it, and the hash of its body. */
  idempotency: { key: string; bodyHash: string } | null;
}

/** The record of a conversation right after it was made. */
export function newRecord({ id, settings, createdAt, startedAt }: NewConversation): ConversationRecord {
  return {
    id,
    status: startedAt ? 'running' : 'queued',
    settings,
    turns: 0,
    agentTurns: settings.agents.map(() => 0),
    usage: NO_USAGE,
    lastSeq: 2,
    createdAt: createdAt.toISOString(),
    startedAt: startedAt?.toISOString() ?? null,
    endedAt: null,
    ending: null,
  };
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
}

export interface Page<T> {
  items: T[];
  /** Null at the end. */
  nextCursor: string | null;
}

/** PORT: what is asked about conversations from outside: to make, find and remove them. */
export interface ConversationCatalog {
  /** Writes the two opening events, the record and the idempotency key as one. */
  create(conversation: NewConversation): Promise<CreateOutcome>;

  get(conversationId: string): Promise<ConversationRecord | undefined>;

  /**
   * Newest first.
   *
   * @throws AppError `invalid_cursor`
   */
  list(
    filter: ConversationFilter,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConversationRecord>>;

  /** Messages after a seq, in order; the next cursor is the seq of the last one. */
  messages(
    conversationId: string,
    filter: { sender?: string | undefined; q?: string | undefined },
    page: { limit: number; afterSeq: number },
  ): Promise<Page<Message>>;

  /** Notes that a queued conversation runs now. */
  markStarted(conversationId: string, at: Date): Promise<void>;

  /** Removes every trace of it, its idempotency key too. False where there was none. */
  delete(conversationId: string): Promise<boolean>;

  /** The ids of conversations that have not ended, oldest first: what a start goes on with. */
  unfinished(): Promise<string[]>;
}

/** How long an idempotency key is remembered: 24 hours, in milliseconds. */
export const IDEMPOTENCY_WINDOW_MS = 24 * 60 * 60 * 1000;
