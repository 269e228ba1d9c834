import { signal } from '@preact/signals';
import type { Conversation, ConversationsQuery } from '../../client/types.ts';
import { ask } from '../server.ts';

/** What the list shows: kept while other views are shown, so that coming back finds it as it was. */
export interface Listing {
  filter: string;
  items: readonly Conversation[];
  nextCursor: string | null;
}

export const listing = signal<Listing | undefined>(undefined);

const PAGE = 50;

/** Reads the first page, and keeps what was already read behind it. */
export async function refresh(query: ConversationsQuery, signal: AbortSignal): Promise<void> {
  const filter = JSON.stringify(query);
  const page = await ask((client) => client.listConversations({ ...query, limit: PAGE }, { signal }));
  signal.throwIfAborted();
  const before = listing.peek();
  if (before?.filter !== filter || page.nextCursor === null) {
    listing.value = { filter, ...page };
    return;
  }
  const oldest = page.items.at(-1)?.id ?? '';
  const rest = before.items.filter(({ id }) => id < oldest);
  listing.value = {
    filter,
    items: [...page.items, ...rest],
    nextCursor: rest.length > 0 ? before.nextCursor : page.nextCursor,
  };
}

/** Reads the next page behind what is there. */
export async function readOn(query: ConversationsQuery, signal: AbortSignal): Promise<void> {
  const before = listing.peek();
  if (!before?.nextCursor) return;
  const cursor = before.nextCursor;
  const page = await ask((client) => client.listConversations({ ...query, limit: PAGE, cursor }, { signal }));
  const now = listing.peek();
  if (now?.filter !== before.filter || now.nextCursor !== cursor) return;
  listing.value = { ...now, items: [...now.items, ...page.items], nextCursor: page.nextCursor };
}
