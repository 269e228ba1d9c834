import { setTimeout as delay } from 'node:timers/promises';
import type { ConversationFeed, FeedEntry } from '../../conversation/log/feed.ts';
import {
  type ConversationCatalog,
  type ConversationLog,
  EVERY_TENANT,
  isLastPage,
  type LogEntry,
  type TenantScope,
} from '../../conversation/log/log.ts';
import type { MessageQuery, MessageSearch, SearchPage } from '../../conversation/search/search.ts';
import { AppError } from '../../errors.ts';
import { readEvent } from '../../protocol/read-event.ts';
import { type FoundMessage, RankedSearch } from './ranked-search.ts';
import { openSearchFile, type SearchFile } from './search-file.ts';

export interface FollowingSearchParts {
  feed: ConversationFeed;
  log: Pick<ConversationLog, 'readOn'>;
  catalog: Pick<ConversationCatalog, 'get' | 'list'>;
  /** Where instances keep their indexes. */
  folder: string;
  onTrouble: (error: unknown) => void;
  /** What comes within so many milliseconds is taken in together. */
  gatherMs?: number | undefined;
}

const PAGE_ENTRIES = 200;
const PAGE_EVENTS = 256;
const PAGE_CONVERSATIONS = 100;
const RETRY_AFTER_MS = 1000;
const GATHER_MS = 250;

/**
 * The search of one of several instances: an index in a file of its own, which follows the feed of all that is
 * appended anywhere, and is made anew where it is missing or too far behind. What it finds is read from the log, so
 * that nothing is shown that is deleted or retracted, however far the index is.
 */
export class FollowingSearch implements MessageSearch {
  readonly #parts: FollowingSearchParts;
  readonly #stop = new AbortController();
  readonly #following: Promise<void>;
  #file: SearchFile;
  #ranked: RankedSearch;
  /** Whether all that the feed had was taken in, the last time. */
  #isWhole = false;
  /** Who is to be told when all was taken in. */
  readonly #waiting: (() => void)[] = [];

  constructor(parts: FollowingSearchParts) {
    this.#parts = parts;
    this.#file = openSearchFile(parts.folder);
    this.#ranked = this.#rankedOver(this.#file);
    this.#following = this.#follow();
  }

  async search(
    tenant: TenantScope,
    query: MessageQuery,
    page: { limit: number; cursor?: string | undefined },
    signal?: AbortSignal,
  ): Promise<SearchPage> {
    const isIncomplete = !this.#isWhole;
    const file = this.#file;
    try {
      return { ...(await this.#ranked.search(tenant, query, page, signal)), isIncomplete };
    } catch (error) {
      if (file === this.#file) throw error;
      throw new AppError('overloaded', 'The index is being made anew', { retryAfterSeconds: 1 });
    }
  }

  /** Fulfilled when the index has what the feed tells up to a cursor of its end. */
  async followed(cursor: string): Promise<void> {
    while (!this.#isWhole || this.#file.cursor !== cursor) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#following;
    this.#file.close();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#readOn(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#isWhole = false;
        this.#parts.onTrouble(error);
        await delay(RETRY_AFTER_MS, undefined, { signal }).catch(() => {});
      }
    }
  }

  async #readOn(signal: AbortSignal): Promise<void> {
    const { feed } = this.#parts;
    if (this.#file.cursor === undefined) await this.#readAll(signal);
    for (;;) {
      signal.throwIfAborted();
      const cursor = this.#file.cursor ?? '';
      const page = await feed.read(cursor, PAGE_ENTRIES);
      if (page.behind) {
        this.#isWhole = false;
        this.#makeAnew();
        return;
      }
      await this.#take(page.entries, signal);
      if (page.cursor !== cursor) this.#file.cursor = page.cursor;
      if (page.entries.length > 0) continue;
      this.#isWhole = true;
      for (const tell of this.#waiting.splice(0)) tell();
      await feed.more(page.cursor, signal);
      await delay(this.#parts.gatherMs ?? GATHER_MS, undefined, { signal });
    }
  }

  /** All conversations; what changes meanwhile the feed tells. */
  async #readAll(signal: AbortSignal): Promise<void> {
    const { feed, catalog } = this.#parts;
    const end = await feed.end();
    let cursor: string | undefined;
    do {
      const page = await catalog.list(EVERY_TENANT, {}, { limit: PAGE_CONVERSATIONS, cursor });
      await this.#readLogs(
        page.items.map(({ id }) => id),
        signal,
      );
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    this.#file.cursor = end;
  }

  async #take(entries: readonly FeedEntry[], signal: AbortSignal): Promise<void> {
    const grown = new Set<string>();
    for (const { kind, id } of entries) {
      if (kind === 'grown') grown.add(id);
      if (kind !== 'removed') continue;
      grown.delete(id);
      this.#file.remove(id);
    }
    if (entries.some(({ kind }) => kind === 'removed')) while (this.#file.tidy()) await yieldTo(signal);
    await this.#readLogs(grown, signal);
  }

  /** Many at once: the index takes as long for one message as for a hundred. */
  async #readLogs(ids: Iterable<string>, signal: AbortSignal): Promise<void> {
    let read = new Map<string, LogEntry[]>();
    let events = 0;
    const takeIn = async (): Promise<void> => {
      this.#file.add(read);
      read = new Map();
      events = 0;
      await yieldTo(signal);
    };
    for (const id of ids) {
      for (let seq = this.#file.readTo(id); ; ) {
        const page = await this.#parts.log.readOn(id, seq, PAGE_EVENTS);
        const last = page.at(-1);
        if (!last) break;
        seq = last.seq;
        read.set(id, [...(read.get(id) ?? []), ...page]);
        events += page.length;
        if (events >= PAGE_EVENTS) await takeIn();
        if (isLastPage(page, PAGE_EVENTS)) break;
      }
    }
    await takeIn();
  }

  #makeAnew(): void {
    this.#file.close();
    this.#file = openSearchFile(this.#parts.folder, true);
    this.#ranked = this.#rankedOver(this.#file);
  }

  #rankedOver(file: SearchFile): RankedSearch {
    return new RankedSearch(file.index, {
      newestKey: () => file.newestKey(),
      tenants: () => file.tenants(),
      filter: (keys, filter) => file.filter(keys, filter),
      read: async (keys) => {
        const found = await Promise.all(file.places(keys).map((place) => this.#readMessage(place)));
        return new Map(found.flatMap((each) => (each ? [[each.key, each]] : [])));
      },
    });
  }

  async #readMessage({
    key,
    id,
    seq,
  }: {
    key: number;
    id: string;
    seq: number;
  }): Promise<FoundMessage | undefined> {
    const { log, catalog } = this.#parts;
    const [record, [entry]] = await Promise.all([catalog.get(EVERY_TENANT, id), log.readOn(id, seq - 1, 1)]);
    if (!record || entry?.type !== 'message' || record.retracted.includes(seq)) return undefined;
    const event = readEvent(entry.json);
    if (event.type !== 'message' || event.message.retracted) return undefined;
    const { tenant, settings } = record;
    return { key, tenant, conversationId: id, topic: settings.topic, message: event.message };
  }
}

async function yieldTo(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}
