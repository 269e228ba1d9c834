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
  type LogEntry,
  type NewConversation,
  type Page,
  type RecordFields,
  type TenantScope,
} from '../../conversation/log/log.ts';
import type { LiveAnnouncer } from '../../conversation/stream/live.ts';
import { MessagePage } from '../message-page.ts';
import { RecentMessages } from '../recent-messages.ts';
import { answered, overloaded } from './answers.ts';
import { asClaimed, claimOf } from './claims.ts';
import type { RedisClient } from './connection.ts';
import { durabilityWarning } from './durability.ts';
import { type FeedSettings, RedisFeed } from './feed.ts';
import { entryOf, indexesOf } from './indexes.ts';
import { claimName, conversationKeys, indexKeys } from './keys.ts';
import { listConversations, listUnfinished } from './listing.ts';
import { readContext, readLog, toMessage } from './log.ts';
import { AskingOrder } from './order.ts';
import { type Found, readRecord } from './records.ts';
import { Writer } from './writer.ts';

export interface RedisStorage extends ConversationLog, ConversationCatalog {
  readonly feed: ConversationFeed;
  /**
   * One line that says what Redis lacks to keep all that it acknowledges, or that it could not be found out;
   * undefined where all is well.
   */
  durabilityWarning(): Promise<string | undefined>;
  close(): Promise<void>;
}

export interface RedisStorageOptions {
  /** It ends with the storage. */
  client: RedisClient;
  /** What all keys begin with; without braces. */
  prefix: string;
  /** Names this instance in what is published; see live/messages.ts. */
  origin: string;
  live: LiveAnnouncer;
  feed?: FeedSettings | undefined;
  /** Told how long each append took, in milliseconds. */
  onAppend?: ((milliseconds: number) => void) | undefined;
}

const PAGE_EVENTS = 1000;
/** The lanes of AskingOrder besides one for each conversation. */
const KEYED = 'creations with an idempotency key';
const REMOVALS = 'removals';

/**
 * The storage that several instances share: Redis or Valkey, one server or a cluster. An acknowledged append is
 * as durable as Redis is set to make it; see `durabilityWarning`. Whether Redis is there,
 * `healthCheck` tells.
 */
export function openRedisStorage(options: RedisStorageOptions): RedisStorage {
  return new Storage(options);
}

class Storage implements RedisStorage {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #origin: string;
  readonly #onAppend: (milliseconds: number) => void;
  readonly #writer: Writer;
  readonly feed: RedisFeed;
  readonly #recent = new RecentMessages();
  readonly #order = new AskingOrder();
  readonly #tidying = new Set<Promise<void>>();

  constructor({ client, prefix, origin, live, feed, onAppend = () => {} }: RedisStorageOptions) {
    this.#onAppend = onAppend;
    this.#client = client;
    this.#prefix = prefix;
    this.#origin = origin;
    this.feed = new RedisFeed({ client, prefix, origin, settings: feed });
    this.#writer = new Writer({ client, prefix, origin, live, recent: this.#recent, feed: this.feed });
  }

  async append(
    id: string,
    expectedSeq: number,
    events: readonly ConversationEvent[],
    record: RecordFields,
  ): Promise<AppendOutcome> {
    const startedAt = performance.now();
    const outcome = await this.#order.run({ joins: [], waitsFor: [id] }, () =>
      this.#writer.append(id, expectedSeq, events, record),
    );
    this.#onAppend(performance.now() - startedAt);
    if (outcome === 'appended' && record.status === 'terminated') this.#unlistUnfinished(id);
    return outcome;
  }

  /**
   * What this instance wrote last is remembered. Where another one has written since, that is noticed at the next
   * append, which is refused: until then the answer is as old as what the writer here knows.
   */
  async getContext(id: string, limit: number): Promise<ContextMessage[]> {
    return (
      this.#recent.get(id, limit) ??
      (await this.#recent.read(id, limit, () => readContext(this.#client, this.#keys(id).log, limit)))
    );
  }

  async isTerminated(id: string): Promise<boolean | undefined> {
    const status = await answered(this.#client.hget(this.#keys(id).row, 'status'));
    return status === null ? undefined : status === 'terminated';
  }

  async healthCheck(): Promise<void> {
    await answered(this.#client.set(`${this.#prefix}:health`, this.#origin, 'PX', 60_000));
  }

  durabilityWarning(): Promise<string | undefined> {
    return durabilityWarning(this.#client);
  }

  async readOn(id: string, afterSeq: number, limit: number): Promise<LogEntry[]> {
    // A run begins so; others may have written since the last one.
    if (afterSeq === 0) this.#recent.drop(id);
    return await readLog(this.#client, this.#keys(id).log, afterSeq, limit);
  }

  create(conversation: NewConversation): Promise<CreateOutcome> {
    const { id, idempotency } = conversation;
    const lanes = idempotency
      ? { joins: [id, KEYED], waitsFor: [id, REMOVALS] }
      : { joins: [id], waitsFor: [id] };
    return this.#order.run(lanes, async () => {
      if (idempotency) return await this.#createOnce(conversation, idempotency);
      if ((await this.#make(id, conversation, '')) === 'created') return { outcome: 'created' };
      throw new Error(`there is a conversation ${id} already`);
    });
  }

  async get(tenant: TenantScope, id: string): Promise<ConversationRecord | undefined> {
    return (await this.#find(tenant, id))?.record;
  }

  async list(
    tenant: TenantScope,
    filter: ConversationFilter,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<ConversationRecord>> {
    return await listConversations(this.#client, this.#prefix, tenant, filter, page);
  }

  async messages(
    id: string,
    { sender, q }: { sender?: string | undefined; q?: string | undefined },
    { limit, afterSeq }: { limit: number; afterSeq: number },
  ): Promise<Page<Message>> {
    const page = new MessagePage({ sender, q }, limit);
    const isFiltered = sender !== undefined || q !== undefined;
    for (let seq = afterSeq; ; ) {
      const entries = await readLog(
        this.#client,
        this.#keys(id).log,
        seq,
        isFiltered ? PAGE_EVENTS : limit + 1,
      );
      for (const entry of entries) {
        if (entry.type !== 'message') continue;
        if (!page.look(toMessage(entry), entry.json.length)) return page.end(false);
      }
      const last = entries.at(-1);
      if (!last) return page.end(true);
      seq = last.seq;
    }
  }

  async markStarted(id: string, at: Date): Promise<void> {
    await this.#order.run({ joins: [], waitsFor: [id] }, () => this.#writer.started(id, at));
  }

  delete(tenant: TenantScope, id: string): Promise<boolean> {
    const lanes = { joins: [id, REMOVALS], waitsFor: [id, KEYED, REMOVALS] };
    return this.#order.run(lanes, () => this.#remove(tenant, id));
  }

  async unfinished(): Promise<string[]> {
    return await listUnfinished(this.#client, this.#prefix);
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#tidying, this.feed.settled()]);
    await answered(this.#client.quit()).catch(() => {});
    this.#client.disconnect();
  }

  /**
   * Makes the conversation that an idempotency key stands for. The key is taken first. Whoever finds it taken for
   * a conversation that isn't there makes that very one, since its process may be gone; the script makes it once.
   */
  async #createOnce(
    conversation: NewConversation,
    { key, bodyHash }: NonNullable<NewConversation['idempotency']>,
  ): Promise<CreateOutcome> {
    const { id } = conversation;
    const claim = claimName(key);
    const wanted = claimOf(conversation, bodyHash);
    for (let tries = 0; tries < 3; tries++) {
      const held = await this.#writer.claim(claim, wanted);
      if (held.bodyHash !== bodyHash) return { outcome: 'idempotency_mismatch' };
      if (held.id === id) {
        // Where it was made by another one meanwhile, it was made for this call.
        await this.#make(id, conversation, claim);
        return { outcome: 'created' };
      }
      if (await answered(this.#client.exists(this.#keys(held.id).row))) {
        return { outcome: 'replayed', id: held.id };
      }
      const made = await this.#make(held.id, asClaimed(conversation, held), claim);
      if (made !== 'removed') return { outcome: 'replayed', id: held.id };
      // It was removed a moment ago, and before that its key was forgotten.
    }
    throw overloaded('the conversation of this idempotency key is being removed');
  }

  async #make(
    id: string,
    conversation: Omit<NewConversation, 'id' | 'idempotency'>,
    claim: string,
  ): Promise<'created' | 'exists' | 'removed'> {
    const { tenant, settings, createdAt, record } = conversation;
    const entry = entryOf(id, createdAt);
    const indexes = indexesOf(this.#prefix, tenant, settings);
    if (record.status !== 'terminated') indexes.push(indexKeys.unfinished(this.#prefix));
    await answered(Promise.all(indexes.map((key) => this.#client.zadd(key, 0, entry))));
    return await this.#writer.create(id, conversation, entry, claim);
  }

  async #find(tenant: TenantScope, id: string): Promise<Found | undefined> {
    const found = await answered(readRecord(this.#client, this.#prefix, id));
    return tenant === EVERY_TENANT || found?.record.tenant === tenant ? found : undefined;
  }

  async #remove(tenant: TenantScope, id: string): Promise<boolean> {
    const [found, claim] = await Promise.all([
      this.#find(tenant, id),
      answered(this.#client.hget(this.#keys(id).row, 'claim')),
    ]);
    if (!found) return false;
    if (claim !== null) await this.#writer.forget(claim, id);
    if (!(await this.#writer.remove(found.record.tenant, id))) return false;
    const indexes = indexesOf(this.#prefix, found.record.tenant, found.record.settings);
    this.#unlist([...indexes, indexKeys.unfinished(this.#prefix)], found.entry);
    return true;
  }

  #unlistUnfinished(id: string): void {
    const entry = this.#client.hget(this.#keys(id).row, 'entry');
    this.#tidy(
      answered(entry).then((found) => found && this.#unlist([indexKeys.unfinished(this.#prefix)], found)),
    );
  }

  /** Whoever reads an index skips what is left there, and removes it. */
  #unlist(indexes: readonly string[], entry: string): void {
    this.#tidy(answered(Promise.all(indexes.map((key) => this.#client.zrem(key, entry)))));
  }

  #tidy(work: Promise<unknown>): void {
    const forget = (): void => void this.#tidying.delete(done);
    const done = work.then(forget, forget);
    this.#tidying.add(done);
  }

  #keys(id: string): ReturnType<typeof conversationKeys> {
    return conversationKeys(this.#prefix, id);
  }
}
