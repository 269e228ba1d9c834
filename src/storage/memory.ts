import {
  type ConversationEvent,
  type Ending,
  type Message,
  openingEvents,
  type TerminatedEvent,
  terminationEvent,
} from '../conversation/log/events.ts';
import {
  type AppendedEvents,
  type AppendOutcome,
  type ContextMessage,
  type ConversationCatalog,
  type ConversationFilter,
  type ConversationQueue,
  type ConversationRecord,
  type CreateOutcome,
  IDEMPOTENCY_WINDOW_MS,
  type LogEntry,
  type NewConversation,
  PAGE_CHARACTERS,
  type Page,
  toContext,
} from '../conversation/log/log.ts';
import { type ConversationState, fold } from '../conversation/log/state.ts';
import type { LiveAnnouncer } from '../conversation/stream/live.ts';
import { AppError } from '../errors.ts';
import { readEvent } from '../protocol/read-event.ts';
import { includes, matches } from './matching.ts';

interface Kept {
  id: string;
  /** Grows with each conversation and is never used again. */
  key: number;
  entries: LogEntry[];
  startedAt: Date | null;
}

/**
 * Both ports in memory, as plainly as they can be said: a log for each conversation, and every answer a fold
 * of it. It is what the backends are compared with, and it forgets all with the process.
 */
export class MemoryStorage implements ConversationQueue, ConversationCatalog {
  readonly #conversations = new Map<string, Kept>();
  readonly #idempotencyKeys = new Map<string, { bodyHash: string; id: string; at: number }>();
  readonly #live: LiveAnnouncer;
  readonly #now: () => Date;
  #lastKey = 0;

  constructor(live: LiveAnnouncer, now: () => Date = () => new Date()) {
    this.#live = live;
    this.#now = now;
  }

  async addMessage(id: string, expectedSeq: number, events: AppendedEvents): Promise<AppendOutcome> {
    const kept = this.#conversations.get(id);
    if (!kept) return 'not_found';
    if (stateOf(kept).status === 'terminated') return 'terminated';
    if (kept.entries.length !== expectedSeq) return 'sequence_conflict';
    this.#append(kept, events);
    return 'appended';
  }

  async markTerminated(id: string, ending: Ending): Promise<Exclude<AppendOutcome, 'sequence_conflict'>> {
    const kept = this.#conversations.get(id);
    if (!kept) return 'not_found';
    if (stateOf(kept).status === 'terminated') return 'terminated';
    this.#append(kept, [terminationEvent(kept.entries.length + 1, this.#now(), ending)]);
    return 'appended';
  }

  async getContext(id: string, limit: number): Promise<ContextMessage[]> {
    return this.#messagesOf(id).slice(-limit).map(toContext);
  }

  async getLastSender(id: string): Promise<string | undefined> {
    return this.#messagesOf(id).at(-1)?.sender;
  }

  async isTerminated(id: string): Promise<boolean | undefined> {
    const kept = this.#conversations.get(id);
    return kept && stateOf(kept).status === 'terminated';
  }

  async healthCheck(): Promise<void> {}

  async readOn(id: string, afterSeq: number, limit: number): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    let characters = 0;
    for (const entry of this.#conversations.get(id)?.entries.slice(afterSeq, afterSeq + limit) ?? []) {
      entries.push(entry);
      characters += entry.json.length;
      if (characters >= PAGE_CHARACTERS) break;
    }
    return entries;
  }

  async create(conversation: NewConversation): Promise<CreateOutcome> {
    const { id, settings, createdAt, startedAt, traceparent, idempotency } = conversation;
    if (idempotency) {
      const used = this.#idempotencyKeys.get(idempotency.key);
      if (used && used.at > createdAt.getTime() - IDEMPOTENCY_WINDOW_MS) {
        if (used.bodyHash !== idempotency.bodyHash) return { outcome: 'idempotency_mismatch' };
        return { outcome: 'replayed', id: used.id };
      }
      const { key, bodyHash } = idempotency;
      this.#idempotencyKeys.set(key, { bodyHash, id, at: createdAt.getTime() });
    }
    const kept: Kept = { id, key: ++this.#lastKey, entries: [], startedAt };
    this.#conversations.set(id, kept);
    this.#append(kept, openingEvents(settings, createdAt, traceparent));
    return { outcome: 'created' };
  }

  async get(id: string): Promise<ConversationRecord | undefined> {
    const kept = this.#conversations.get(id);
    return kept && recordOf(kept);
  }

  async list(
    filter: ConversationFilter,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConversationRecord>> {
    if (cursor !== undefined && !/^k\d{1,15}$/.test(cursor)) {
      throw new AppError('invalid_cursor', 'The cursor is malformed');
    }
    const before = cursor === undefined ? Infinity : Number(cursor.slice(1));
    const found = [...this.#conversations.values()]
      .filter((kept) => kept.key < before && matches(recordOf(kept), filter))
      .reverse();
    const page = found.slice(0, limit);
    return {
      items: page.map(recordOf),
      nextCursor: found.length > limit ? `k${page.at(-1)?.key}` : null,
    };
  }

  async messages(
    id: string,
    { sender, q }: { sender?: string | undefined; q?: string | undefined },
    { limit, afterSeq }: { limit: number; afterSeq: number },
  ): Promise<Page<Message>> {
    const found = this.#messagesOf(id).filter(
      (message) =>
        message.seq > afterSeq &&
        (sender === undefined || message.sender === sender) &&
        (q === undefined || includes(message.content, q)),
    );
    const items = found.slice(0, limit);
    return { items, nextCursor: found.length > limit ? String(items.at(-1)?.seq) : null };
  }

  async markStarted(id: string, at: Date): Promise<void> {
    const kept = this.#conversations.get(id);
    if (kept && recordOf(kept).status === 'queued') kept.startedAt = at;
  }

  async delete(id: string): Promise<boolean> {
    if (!this.#conversations.delete(id)) return false;
    for (const [key, used] of this.#idempotencyKeys) {
      if (used.id === id) this.#idempotencyKeys.delete(key);
    }
    this.#live.removed(id);
    return true;
  }

  async unfinished(): Promise<string[]> {
    return [...this.#conversations.values()]
      .filter((kept) => stateOf(kept).status !== 'terminated')
      .map(({ id }) => id);
  }

  #append(kept: Kept, events: readonly ConversationEvent[]): void {
    const entries = events.map((event) => ({
      seq: event.seq,
      type: event.type,
      json: JSON.stringify(event),
    }));
    kept.entries.push(...entries);
    this.#live.appended(kept.id, entries);
  }

  #messagesOf(id: string): Message[] {
    const kept = this.#conversations.get(id);
    return kept ? eventsOf(kept).flatMap((event) => (event.type === 'message' ? event.message : [])) : [];
  }
}

function eventsOf({ entries }: Kept): ConversationEvent[] {
  return entries.map(({ json }) => readEvent(json));
}

function stateOf(kept: Kept): ConversationState {
  const state = fold(undefined, eventsOf(kept));
  if (!state) throw new Error(`the log of ${kept.id} is empty`);
  return state;
}

function recordOf(kept: Kept): ConversationRecord {
  const { settings, status, turns, agents, usage, lastSeq, createdAt } = stateOf(kept);
  const end = eventsOf(kept).find(({ type }) => type === 'conversation.terminated') as
    | TerminatedEvent
    | undefined;
  return {
    id: kept.id,
    status: status === 'running' && kept.startedAt === null ? 'queued' : status,
    settings,
    turns,
    agentTurns: agents.map((agent) => agent.turns),
    usage,
    lastSeq,
    createdAt: new Date(createdAt).toISOString(),
    startedAt: kept.startedAt?.toISOString() ?? null,
    endedAt: end?.at ?? null,
    ending: end
      ? { reason: end.reason, ...(end.detail === undefined ? {} : { detail: end.detail }), by: end.by }
      : null,
  };
}
