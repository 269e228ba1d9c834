import { z } from 'zod';
import { conversation } from './conversation.ts';
import { conversationEvent } from './events.ts';
import { message } from './message.ts';
import { provider } from './operations.ts';
import { searchHit } from './search.ts';
import { timelineEntry } from './timeline.ts';

/** One page; hand `nextCursor` back as `cursor` for the next, null means that there is none. */
function listOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

export const conversationList = listOf(conversation);
export const messageList = listOf(message);
export const eventList = listOf(conversationEvent);
export const timeline = listOf(timelineEntry);
/** What a search has found; `incomplete` while the index is made anew, and messages may be missing. */
export const searchList = listOf(searchHit).extend({ incomplete: z.boolean().optional() });
export const providerList = listOf(provider);

export type SearchResult = z.infer<typeof searchList>;
export type Page<Item> = z.infer<ReturnType<typeof listOf<z.ZodType<Item>>>>;
