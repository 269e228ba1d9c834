import { join } from 'node:path';
import { type EmbeddingOptions, KNOWLEDGE_FILE, LocalKnowledge } from '../knowledge/local.ts';
import { LocalLive } from '../live/local.ts';
import { LocalDailyBudget } from '../protection/daily-budget.ts';
import { LocalKeyLedger } from '../protection/key-budgets.ts';
import { LocalLeases } from '../protection/leases.ts';
import { UNSHARED } from '../protection/shared-protection.ts';
import { LocalTickets } from '../protection/tickets.ts';
import { LocalRunner } from '../runner/local.ts';
import { openSqliteStorage, readSqliteStorage } from '../storage/sqlite/storage.ts';
import { SqliteWebhooks } from '../storage/sqlite/webhooks.ts';
import { keyIn } from '../storage/sqlite/webhooks-key.ts';
import type { Backend } from './backend.ts';

/**
 * All in this process: needs nothing but a folder.
 *
 * @param holder one line that says who holds the folder; null to read it only, whoever holds it
 * @param dailyLimitUsd Infinity: none
 * @param onAppend told how long each append took, in milliseconds
 * @throws StorageError where the folder can't be used
 */
export function openEmbedded(
  folder: string,
  holder: string | null,
  dailyLimitUsd: number,
  onAppend: (milliseconds: number) => void,
  embedding: EmbeddingOptions,
): Backend {
  const live = new LocalLive();
  const storage =
    holder === null ? readSqliteStorage(folder, live) : openSqliteStorage(folder, holder, live, onAppend);
  const knowledge = new LocalKnowledge(join(folder, KNOWLEDGE_FILE), embedding);
  let webhooks: SqliteWebhooks | undefined;
  const now = (): Date => new Date();
  return {
    name: 'sqlite',
    storage,
    feed: storage.feed,
    scenarios: storage.scenarios,
    search: storage.search,
    knowledge,
    live,
    webhooks: {
      mayBeThere: SqliteWebhooks.isIn(folder),
      open: () => {
        webhooks = new SqliteWebhooks(folder);
        return webhooks;
      },
      ownKey: () => keyIn(folder),
    },
    dailyBudget:
      dailyLimitUsd === Infinity ? undefined : new LocalDailyBudget(dailyLimitUsd, storage.spending, now),
    fileBytes: () => storage.fileBytes(),
    protection: UNSHARED,
    tickets: new LocalTickets(() => performance.now()),
    leases: new LocalLeases(),
    keyLedger: new LocalKeyLedger(storage.spending),
    sharedCounts: undefined,
    createRunner: (hooks) =>
      new LocalRunner({
        ...hooks,
        unfinished: () => storage.unfinished(),
        ownerOf: (conversationId) => storage.ownerOf(conversationId),
      }),
    // It was opened above.
    assertUsable: async () => {},
    async close() {
      await knowledge.close();
      webhooks?.close();
      storage.close();
    },
  };
}
