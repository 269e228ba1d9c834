import type { Ending } from '../log/events.ts';
import { type ConversationCatalog, type ConversationLog, EVERY_TENANT } from '../log/log.ts';
import { endConversation } from '../log/shared-queue.ts';

/** How long a conversation may be paused, in milliseconds (10.1). */
export const LONGEST_PAUSE_MS = 7 * 24 * 60 * 60 * 1000;
const PAGE = 200;

/**
 * Ends with `timeout` what has been paused for too long. Nobody runs what is paused, so that somebody has to look.
 *
 * @param onEnded told of each that was ended
 * @throws whatever the storage throws; the next look goes on
 */
export async function endOverduePauses(
  storage: { log: ConversationLog; catalog: Pick<ConversationCatalog, 'get' | 'list'> },
  now: Date,
  onEnded: (conversationId: string, ending: Ending, turns: number) => void,
): Promise<void> {
  const latest = now.getTime() - LONGEST_PAUSE_MS;
  // What is younger than that can't have been paused for so long.
  const filter = { status: 'paused', createdBefore: new Date(latest + 1) } as const;
  const ending: Ending = { reason: 'timeout', detail: 'it was paused for 7 days', by: 'system' };
  let cursor: string | undefined;
  do {
    const page = await storage.catalog.list(EVERY_TENANT, filter, { limit: PAGE, cursor });
    for (const { id, pause, turns } of page.items) {
      if (!pause || Date.parse(pause.since) > latest) continue;
      const { outcome } = await endConversation(storage, id, ending, now);
      if (outcome === 'appended') onEnded(id, ending, turns);
    }
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}
