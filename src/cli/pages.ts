import type { Page } from '../client/types.ts';

/** The largest page that a server gives. */
const PAGE = 200;

/**
 * All items of a list, page after page.
 *
 * @param limit how many at most
 */
export async function* allItems<T>(
  read: (page: { limit: number; cursor?: string }) => Promise<Page<T>>,
  limit = Infinity,
): AsyncGenerator<T, void, undefined> {
  let cursor: string | null = null;
  let left = limit;
  do {
    const page: Page<T> = await read({ limit: Math.min(PAGE, left), ...(cursor === null ? {} : { cursor }) });
    for (const item of page.items.slice(0, left)) yield item;
    left -= page.items.length;
    cursor = page.nextCursor;
  } while (cursor !== null && left > 0);
}
