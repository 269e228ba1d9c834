import type { SearchHit } from '../../protocol/search.ts';
import type { Page, TenantScope } from '../log/log.ts';
import type { Term } from './query.ts';

/** What is looked for in messages. */
export interface MessageQuery {
  /** All of them must occur; where there are none, nothing is found. */
  terms: readonly Term[];
  /** The messages' own sender. */
  sender?: string | undefined;
  /** About the messages' own times; both exclude their instant. */
  createdAfter?: Date | undefined;
  createdBefore?: Date | undefined;
  /** Entries that the conversation's metadata must have; values as texts. */
  labels?: Readonly<Record<string, string>> | undefined;
}

export interface SearchPage extends Page<SearchHit> {
  /** True while the index is made anew, and messages may be missing. */
  isIncomplete: boolean;
}

/** Of more matches only the newest so many are ranked; the others follow, newest first. */
export const MOST_RANKED = 5000;

/**
 * PORT: finds messages of all conversations by their words. Best match first (BM25), then newest. What is retracted
 * or deleted is not found from the moment on that this is acknowledged, and what was appended before is found.
 */
export interface MessageSearch {
  /**
   * @param signal ends a search that nobody waits for any more
   * @throws AppError `invalid_cursor`; `overloaded` where the index can't be read now
   */
  search(
    tenant: TenantScope,
    query: MessageQuery,
    page: { limit: number; cursor?: string | undefined },
    signal?: AbortSignal,
  ): Promise<SearchPage>;
}
