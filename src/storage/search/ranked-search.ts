import type { Message } from '../../conversation/log/events.ts';
import { EVERY_TENANT, type TenantScope } from '../../conversation/log/log.ts';
import { matchesIn } from '../../conversation/search/query.ts';
import { type MessageQuery, MOST_RANKED, type SearchPage } from '../../conversation/search/search.ts';
import { snippetOf } from '../../conversation/search/snippet.ts';
import type { SearchHit } from '../../protocol/search.ts';
import { Slices } from '../../slices.ts';
import { formatCursor, parseCursor, type SearchCursor } from './cursor.ts';
import type { MessageIndex, Ranked } from './message-index.ts';

/** A message of the index, as it is now. */
export interface FoundMessage {
  key: number;
  tenant: string;
  conversationId: string;
  topic: string;
  message: Message;
}

export type MessageFilter = Pick<MessageQuery, 'createdAfter' | 'createdBefore' | 'labels'>;

/** What an index has no words of. */
export interface IndexedMessages {
  /** The key of the newest message in the index. */
  newestKey(): number;
  tenants(): string[];
  /** Those of the keys whose messages a filter lets through. */
  filter(keys: readonly number[], filter: MessageFilter): ReadonlySet<number>;
  /** Those that are still there and not retracted, by their keys. */
  read(keys: readonly number[]): Promise<ReadonlyMap<number, FoundMessage>>;
}

/** Ranked messages, the best first, and below which key others follow without a rank. */
interface Ranking {
  ranked: readonly Ranked[];
  restBelow: number | undefined;
}

/** Messages of one part and tenant that are looked for at once. */
const FOUND_AT_ONCE = MOST_RANKED;
/** Messages that are read at once. */
const READ_AT_ONCE = 32;
/** Rankings that are kept for the pages behind the first. */
const MOST_KEPT = 50;

/**
 * Searches an index part by part, the newest first, and reads what it found: what was deleted or retracted meanwhile
 * isn't shown, nor what a long query asks for beyond what the index was asked.
 */
export class RankedSearch {
  readonly #index: MessageIndex;
  readonly #messages: IndexedMessages;
  /** By what was asked for, the longest kept first. */
  readonly #kept = new Map<string, Ranking>();

  constructor(index: MessageIndex, messages: IndexedMessages) {
    this.#index = index;
    this.#messages = messages;
  }

  async search(
    scope: TenantScope,
    query: MessageQuery,
    page: { limit: number; cursor?: string | undefined },
    signal?: AbortSignal,
  ): Promise<Omit<SearchPage, 'isIncomplete'>> {
    const cursor = page.cursor === undefined ? undefined : parseCursor(page.cursor);
    if (query.terms.length === 0) return { items: [], nextCursor: null };
    const slices = new Slices(signal);
    const items: SearchHit[] = [];
    let last: SearchCursor | undefined;
    for await (const candidates of this.#candidates(scope, query, cursor, slices)) {
      const found = await this.#messages.read(candidates.map(({ key }) => key));
      for (const candidate of candidates) {
        await slices.rest();
        const hit = hitOf(found.get(candidate.key), scope, query);
        if (!hit) continue;
        if (last && items.length === page.limit) return { items, nextCursor: formatCursor(last) };
        items.push(hit);
        last = candidate;
      }
    }
    return { items, nextCursor: null };
  }

  /** What may be shown behind a cursor, in the order in which it is; a few at once. */
  async *#candidates(
    scope: TenantScope,
    query: MessageQuery,
    cursor: SearchCursor | undefined,
    slices: Slices,
  ): AsyncGenerator<SearchCursor[]> {
    let restBelow = cursor?.key;
    const upTo = cursor?.upTo ?? this.#messages.newestKey();
    if (cursor?.score !== null) {
      const ranking = await this.#ranking(scope, query, upTo, slices);
      restBelow = ranking.restBelow;
      const from = cursor ? ranking.ranked.findIndex((each) => order(each, cursor) > 0) : 0;
      const behind = from === -1 ? [] : ranking.ranked.slice(from);
      for (let at = 0; at < behind.length; at += READ_AT_ONCE) {
        yield behind.slice(at, at + READ_AT_ONCE).map(({ key, score }) => ({ upTo, key, score }));
      }
    }
    if (restBelow === undefined) return;
    for await (const keys of this.#newest(scope, query, restBelow, slices)) {
      for (let at = 0; at < keys.length; at += READ_AT_ONCE) {
        yield keys.slice(at, at + READ_AT_ONCE).map(({ key }) => ({ upTo, key, score: null }));
      }
    }
  }

  async #ranking(scope: TenantScope, query: MessageQuery, upTo: number, slices: Slices): Promise<Ranking> {
    const asked = JSON.stringify([scope === EVERY_TENANT ? null : scope, query, upTo]);
    const kept = this.#kept.get(asked);
    if (kept) return kept;
    const ranked: Ranked[] = [];
    let restBelow: number | undefined;
    for await (const found of this.#newest(scope, query, upTo + 1, slices, true)) {
      ranked.push(...found);
      if (ranked.length < MOST_RANKED) continue;
      ranked.length = MOST_RANKED;
      restBelow = ranked.at(-1)?.key;
      break;
    }
    const ranking = { ranked: ranked.sort(order), restBelow };
    this.#kept.set(asked, ranking);
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value ?? '');
    return ranking;
  }

  /** What the index has below a key, newest first, part by part. */
  async *#newest(
    scope: TenantScope,
    query: MessageQuery,
    belowKey: number,
    slices: Slices,
    isRanked = false,
  ): AsyncGenerator<Ranked[]> {
    const tenants = scope === EVERY_TENANT ? this.#messages.tenants() : [scope];
    const after = query.createdAfter?.getTime() ?? -Infinity;
    const before = query.createdBefore?.getTime() ?? Infinity;
    for (const { part, isWithin } of this.#index.parts(belowKey, after, before)) {
      let below = belowKey;
      do {
        const found: Ranked[] = [];
        let end = -Infinity;
        for (const tenant of tenants) {
          const { terms, sender } = query;
          const asked = { tenant, terms, sender, belowKey: below, limit: FOUND_AT_ONCE };
          const more = isRanked
            ? this.#index.rank(part, asked)
            : this.#index.find(part, asked).map((key) => ({ key, score: 0 }));
          for (const each of more) found.push(each);
          if (more.length === FOUND_AT_ONCE) end = Math.max(end, more.at(-1)?.key ?? end);
          await slices.rest();
        }
        below = end;
        yield this.#passing(
          query,
          isWithin,
          found.filter(({ key }) => key >= end),
        );
        await slices.rest();
      } while (below !== -Infinity);
    }
  }

  /** Those that a query's filter lets through, newest first. */
  #passing(query: MessageQuery, isWithin: boolean, found: Ranked[]): Ranked[] {
    found.sort((left, right) => right.key - left.key);
    const { labels } = query;
    if (found.length === 0 || (isWithin && !labels)) return found;
    const keys = found.map(({ key }) => key);
    const allowed = this.#messages.filter(keys, isWithin ? { labels } : query);
    return found.filter(({ key }) => allowed.has(key));
  }
}

/** The best first, of equals the newest. */
function order(left: Ranked, right: { key: number; score: number | null }): number {
  return left.score - (right.score ?? 0) || right.key - left.key;
}

function hitOf(
  found: FoundMessage | undefined,
  scope: TenantScope,
  { terms, sender }: MessageQuery,
): SearchHit | undefined {
  if (!found || (scope !== EVERY_TENANT && found.tenant !== scope)) return undefined;
  const { conversationId, topic, message } = found;
  if (sender !== undefined && message.sender !== sender) return undefined;
  const matches = matchesIn(message.content, terms);
  if (!matches) return undefined;
  const { seq, turn, timestamp: at } = message;
  return {
    conversationId,
    topic,
    seq,
    turn,
    sender: message.sender,
    at,
    ...snippetOf(message.content, matches),
  };
}
