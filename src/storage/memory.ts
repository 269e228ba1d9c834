import type { ConversationEvent, Message } from '../conversation/log/events.ts';
import type { ConversationFeed, FeedEntry, FeedPage } from '../conversation/log/feed.ts';
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
  IDEMPOTENCY_WINDOW_MS,
  type LogEntry,
  type NewConversation,
  newRecord,
  PAGE_CHARACTERS,
  type Page,
  type RecordFields,
  type TenantScope,
  toEntry,
} from '../conversation/log/log.ts';
import type { LiveAnnouncer } from '../conversation/stream/live.ts';
import { AppError } from '../errors.ts';
import { readEvent } from '../protocol/read-event.ts';
import { FeedWaiters } from './feed-waiters.ts';
import { includes, matches } from './matching.ts';

interface Kept {
  /** Grows with each conversation and is never used again. */
  key: number;
  record: ConversationRecord;
  entries: LogEntry[];
}

/**
 * Both ports in memory, as plainly as they can be said. It is what the backends are compared with, and it forgets
 * all with the process.
 */
export class MemoryStorage implements ConversationLog, ConversationCatalog {
  readonly #conversations = new Map<string, Kept>();
  readonly #idempotencyKeys = new Map<string, { bodyHash: string; id: string; at: number }>();
  readonly #live: LiveAnnouncer;
  readonly feed = new MemoryFeed();
  #lastKey = 0;

  constructor(live: LiveAnnouncer) {
    this.#live = live;
  }

  async append(
    id: string,
    expectedSeq: number,
    events: readonly ConversationEvent[],
    record: RecordFields,
  ): Promise<AppendOutcome> {
    const kept = this.#conversations.get(id);
    if (!kept) return 'not_found';
    if (kept.record.status === 'terminated') return 'terminated';
    if (kept.entries.length !== expectedSeq) return 'sequence_conflict';
    const waits = record.status === 'running' && kept.record.startedAt === null;
    kept.record = { ...kept.record, ...record, status: waits ? 'queued' : record.status };
    this.#append(kept, events);
    return 'appended';
  }

  async getContext(id: string, limit: number): Promise<ContextMessage[]> {
    const kept = this.#conversations.get(id);
    return kept ? contextIn(eventsOf(kept)).slice(-limit) : [];
  }

  async isTerminated(id: string): Promise<boolean | undefined> {
    const kept = this.#conversations.get(id);
    return kept && kept.record.status === 'terminated';
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
    const { id, createdAt, idempotency } = conversation;
    if (idempotency) {
      const used = this.#idempotencyKeys.get(idempotency.key);
      if (used && used.at > createdAt.getTime() - IDEMPOTENCY_WINDOW_MS) {
        if (used.bodyHash !== idempotency.bodyHash) return { outcome: 'idempotency_mismatch' };
        return { outcome: 'replayed', id: used.id };
      }
      const { key, bodyHash } = idempotency;
      this.#idempotencyKeys.set(key, { bodyHash, id, at: createdAt.getTime() });
    }
    const kept: Kept = { key: ++this.#lastKey, record: newRecord(conversation), entries: [] };
    this.#conversations.set(id, kept);
    this.#append(kept, conversation.events);
    return { outcome: 'created' };
  }

  async get(tenant: TenantScope, id: string): Promise<ConversationRecord | undefined> {
    return this.#find(tenant, id)?.record;
  }

  async list(
    tenant: TenantScope,
    filter: ConversationFilter,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConversationRecord>> {
    if (cursor !== undefined && !/^k\d{1,15}$/.test(cursor)) {
      throw new AppError('invalid_cursor', 'The cursor is malformed');
    }
    const before = cursor === undefined ? Infinity : Number(cursor.slice(1));
    const found = [...this.#conversations.values()]
      .filter(({ key, record }) => key < before && matches(record, tenant, filter))
      .reverse();
    const page = found.slice(0, limit);
    return {
      items: page.map(({ record }) => record),
      nextCursor: found.length > limit ? `k${page.at(-1)?.key}` : null,
    };
  }

  async messages(
    id: string,
    { sender, q }: { sender?: string | undefined; q?: string | undefined },
    { limit, afterSeq }: { limit: number; afterSeq: number },
  ): Promise<Page<Message>> {
    const kept = this.#conversations.get(id);
    const found = (kept ? eventsOf(kept) : [])
      .flatMap((event) => (event.type === 'message' ? event.message : []))
      .filter(
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
    if (kept?.record.status !== 'queued') return;
    kept.record = { ...kept.record, status: 'running', startedAt: at.toISOString() };
  }

  async delete(tenant: TenantScope, id: string): Promise<boolean> {
    const kept = this.#find(tenant, id);
    if (!kept) return false;
    this.#conversations.delete(id);
    this.feed.add({ kind: 'removed', tenant: kept.record.tenant, id });
    for (const [key, used] of this.#idempotencyKeys) {
      if (used.id === id) this.#idempotencyKeys.delete(key);
    }
    this.#live.removed(id);
    return true;
  }

  async unfinished(): Promise<string[]> {
    return [...this.#conversations.values()]
      .filter(({ record: { status } }) => status === 'running' || status === 'queued')
      .map(({ record }) => record.id);
  }

  #find(tenant: TenantScope, id: string): Kept | undefined {
    const kept = this.#conversations.get(id);
    return tenant === EVERY_TENANT || kept?.record.tenant === tenant ? kept : undefined;
  }

  #append(kept: Kept, events: readonly ConversationEvent[]): void {
    const entries = events.map(toEntry);
    kept.entries.push(...entries);
    const { id, tenant } = kept.record;
    const seq = kept.entries.length;
    this.feed.add({ kind: 'grown', tenant, id, from: seq - entries.length + 1, seq });
    this.#live.appended(id, entries);
  }
}

/** Its cursors are how many entries there were. */
class MemoryFeed implements ConversationFeed {
  readonly #entries: FeedEntry[] = [];
  readonly #waiters = new FeedWaiters();

  add(entry: FeedEntry): void {
    this.#entries.push(entry);
    this.#waiters.wake();
  }

  async read(after: string, limit: number): Promise<FeedPage> {
    const from = Number(after);
    if (!(from <= this.#entries.length)) return { entries: [], cursor: await this.end(), behind: true };
    const entries = this.#entries.slice(from, from + limit);
    return { entries, cursor: `${from + entries.length}`, behind: false };
  }

  async end(): Promise<string> {
    return `${this.#entries.length}`;
  }

  async more(after: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (after === `${this.#entries.length}`) await this.#waiters.wait(signal);
  }
}

function eventsOf({ entries }: Kept): ConversationEvent[] {
  return entries.map(({ json }) => readEvent(json));
}
