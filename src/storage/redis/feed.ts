import { Cluster } from 'ioredis';
import type { ConversationFeed, FeedEntry, FeedPage } from '../../conversation/log/feed.ts';
import { DEFAULT_TENANT } from '../../protocol/events.ts';
import { FeedWaiters } from '../feed-waiters.ts';
import { answered } from './answers.ts';
import type { RedisClient } from './connection.ts';
import { conversationKeys, feedKeys } from './keys.ts';
import { scriptsOf } from './scripts.ts';

export interface RedisFeedParts {
  client: RedisClient;
  prefix: string;
  /** Names this instance. */
  origin: string;
  settings?: FeedSettings | undefined;
}

export interface FeedSettings {
  /** Entries that are kept; a few more, since whole nodes of the stream are dropped. */
  length: number;
  /** After so many milliseconds a change is no longer under way: longer than any is waited for. */
  overdueMs: number;
}

/** What a change is about to tell. */
type Intended = { kind: 'grown'; id: string; from: number } | { kind: 'removed'; tenant: string; id: string };

const SETTINGS: FeedSettings = { length: 100_000, overdueMs: 10_000 };
/** How often it is asked for what other instances tell; what this one tells is known at once. */
const LOOK_EVERY_MS = 500;
const OVERDUE_AT_ONCE = 100;
/** Where a feed without entries begins and ends. */
const START = '0-0';
const CURSOR_FORM = /^\d{1,15}-\d{1,15}$/;

/**
 * The feed of many instances: a bounded stream. On one server the scripts that change a conversation write to it. On
 * a cluster it lies on another node than they do: a change is noted there as intended, made, and then told. Where an
 * instance dies in between, or the answer is lost, any instance that reads looks at what became of it, and tells.
 */
export class RedisFeed implements ConversationFeed {
  readonly #parts: RedisFeedParts;
  readonly #settings: FeedSettings;
  readonly #isCluster: boolean;
  readonly #keys: ReturnType<typeof feedKeys>;
  readonly #scripts: ReturnType<typeof scriptsOf>;
  readonly #waiters = new FeedWaiters();
  readonly #telling = new Set<Promise<void>>();
  #intentions = 0;
  #nextLook = 0;

  constructor(parts: RedisFeedParts) {
    this.#parts = parts;
    this.#settings = parts.settings ?? SETTINGS;
    this.#isCluster = parts.client instanceof Cluster;
    this.#keys = feedKeys(parts.prefix);
    this.#scripts = scriptsOf(parts.client);
  }

  /** What the scripts that change a conversation take of it. */
  get forScripts(): { keys: string[]; length: number } {
    return { keys: this.#isCluster ? [] : [this.#keys.entries], length: this.#settings.length };
  }

  async read(after: string, limit: number): Promise<FeedPage> {
    if (this.#isCluster) await this.#tellOverdue();
    const { client } = this.#parts;
    const { entries: key } = this.#keys;
    const behind = async (): Promise<FeedPage> => ({ entries: [], cursor: await this.end(), behind: true });
    if (!CURSOR_FORM.test(after)) return await behind();
    if (after === START) {
      // Of one that is shorter nothing was dropped.
      if ((await answered(client.xlen(key))) >= this.#settings.length) return await behind();
      return pageOf(await answered(client.xrange(key, '-', '+', 'COUNT', limit)), after);
    }
    const [at, ...found] = await answered(client.xrange(key, after, '+', 'COUNT', limit + 1));
    // It was dropped, or Redis has lost it.
    if (at?.[0] !== after) return await behind();
    return pageOf(found, after);
  }

  async end(): Promise<string> {
    const [last] = await answered(this.#parts.client.xrevrange(this.#keys.entries, '+', '-', 'COUNT', 1));
    return last?.[0] ?? START;
  }

  async more(after: string, signal: AbortSignal): Promise<void> {
    for (let looks = 0; looks < 60; looks++) {
      const woken = this.#waiters.wait(signal, LOOK_EVERY_MS);
      // The signal may be given while the end is asked for.
      woken.catch(() => {});
      if (this.#isCluster) await this.#tellOverdue();
      signal.throwIfAborted();
      if ((await this.end()) !== after) return;
      await woken;
    }
  }

  /**
   * Has a change made, and told.
   *
   * @param seq where the log ends behind it
   * @param isMade reads the answer
   */
  async telling(
    intended: Intended,
    seq: number,
    make: () => Promise<unknown>,
    isMade: (answer: unknown) => boolean,
  ): Promise<unknown> {
    if (!this.#isCluster) {
      const answer = await answered(make());
      if (isMade(answer)) this.#waiters.wake();
      return answer;
    }
    // Each by a name of its own, so that nobody gives up what somebody else intends.
    const name = JSON.stringify({ ...intended, by: `${this.#parts.origin}-${this.#intentions++}` });
    await answered(this.#scripts['feed-intend']([this.#keys.intended], [name]));
    const answer = await answered(make());
    this.#underWay(isMade(answer) ? this.#tell(name, intended, seq) : this.#giveUp(name));
    return answer;
  }

  /** Tells of a log that was brought here. */
  async restored(tenant: string, id: string, seq: number): Promise<void> {
    await this.#add('', { kind: 'grown', tenant, id, from: 1, seq });
  }

  /** When all that was changed here is told, or will be by others. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#telling);
  }

  async #tell(name: string, intended: Intended, seq: number): Promise<void> {
    if (intended.kind === 'removed') return await this.#add(name, intended);
    const { row } = conversationKeys(this.#parts.prefix, intended.id);
    const [lastSeq, tenant] = await answered(this.#parts.client.hmget(row, 'last_seq', 'tenant'));
    // Where it is gone its removal is told.
    if (lastSeq === null) return await this.#giveUp(name);
    await this.#add(name, { ...intended, tenant: tenant ?? DEFAULT_TENANT, seq });
  }

  async #add(name: string, entry: FeedEntry): Promise<void> {
    const { entries, intended } = this.#keys;
    const { kind, tenant, id } = entry;
    const fields = ['kind', kind, 'tenant', tenant, 'id', id];
    if (kind === 'grown') fields.push('from', String(entry.from), 'seq', String(entry.seq));
    await answered(this.#scripts['feed-tell']([entries, intended], [this.#settings.length, name, ...fields]));
    this.#waiters.wake();
  }

  async #giveUp(name: string): Promise<void> {
    await answered(this.#parts.client.zrem(this.#keys.intended, name));
  }

  /** What others intended and didn't tell; once in a while, whoever reads how often. */
  async #tellOverdue(): Promise<void> {
    if (performance.now() < this.#nextLook) return;
    const { overdueMs } = this.#settings;
    this.#nextLook = performance.now() + overdueMs / 4;
    const { intended } = this.#keys;
    const names = await answered(this.#scripts['feed-overdue']([intended], [overdueMs, OVERDUE_AT_ONCE]));
    for (const name of names as string[]) await this.#look(name);
  }

  async #look(name: string): Promise<void> {
    const intended = JSON.parse(name) as Intended;
    const { row } = conversationKeys(this.#parts.prefix, intended.id);
    const lastSeq = await answered(this.#parts.client.hget(row, 'last_seq'));
    const isMade =
      intended.kind === 'removed' ? lastSeq === null : lastSeq !== null && Number(lastSeq) >= intended.from;
    await (isMade ? this.#tell(name, intended, Number(lastSeq)) : this.#giveUp(name));
  }

  #underWay(work: Promise<void>): void {
    const forget = (): void => void this.#telling.delete(done);
    // What fails stays intended, and is told by whoever looks next.
    const done = work.then(forget, forget);
    this.#telling.add(done);
  }
}

function pageOf(found: readonly [id: string, fields: string[]][], after: string): FeedPage {
  const entries = found.map(([, fields]) => entryOf(fields));
  return { entries, cursor: found.at(-1)?.[0] ?? after, behind: false };
}

function entryOf(fields: readonly string[]): FeedEntry {
  const [, kind = '', , tenant = '', , id = '', , from, , seq] = fields;
  if (kind !== 'grown') return { kind, tenant, id } as FeedEntry;
  return { kind, tenant, id, from: Number(from), seq: Number(seq) };
}
