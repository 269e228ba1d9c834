import { randomUUID } from 'node:crypto';
import { type EmbeddingOptions, LocalKnowledge } from '../knowledge/local.ts';
import { RedisDocuments } from '../knowledge/redis/documents.ts';
import { RedisKnowledge } from '../knowledge/redis/knowledge.ts';
import { sharedEmbedder } from '../knowledge/redis/vectors.ts';
import { RedisLive } from '../live/redis.ts';
import { RedisDailyBudget } from '../protection/redis/daily-budget.ts';
import { RedisKeyLedger } from '../protection/redis/key-ledger.ts';
import { RedisLeases } from '../protection/redis/leases.ts';
import { type ProtectionHooks, RedisProtection } from '../protection/redis/protection.ts';
import { RedisTickets } from '../protection/redis/tickets.ts';
import { BullmqRunner } from '../runner/bullmq/runner.ts';
import { connect, connectListener } from '../storage/redis/connection.ts';
import { PLATFORM_PREFIX as PREFIX } from '../storage/redis/keys.ts';
import { publisherOf } from '../storage/redis/publisher.ts';
import { readOwner } from '../storage/redis/records.ts';
import { RedisScenarios } from '../storage/redis/scenarios.ts';
import { openRedisStorage } from '../storage/redis/storage.ts';
import { RedisWebhooks } from '../storage/redis/webhooks.ts';
import { FollowingSearch } from '../storage/search/following-search.ts';
import { StorageError } from '../storage/storage-error.ts';
import type { Backend } from './backend.ts';

export interface DistributedHooks extends ProtectionHooks {
  /** How long an append took, in milliseconds. */
  onAppend: (milliseconds: number) => void;
  /** Whatever goes wrong on the way to Redis, once a second at most for the same. */
  onTrouble: (error: unknown) => void;
}

/**
 * Many instances on one Redis: streams for the log, BullMQ for who runs what, pub/sub for what is live.
 *
 * @param folder where this instance keeps its index for searches
 * @param dailyLimitUsd of all instances together; Infinity: none
 * @throws Error with one line where the URL is not one
 */
export function openDistributed(
  url: string,
  folder: string,
  dailyLimitUsd: number,
  hooks: DistributedHooks,
  embedding: EmbeddingOptions,
): Backend & { durabilityWarning: () => Promise<string | undefined> } {
  const origin = randomUUID();
  let lastTrouble: unknown;
  const onTrouble = (error: unknown): void => {
    lastTrouble = error;
    hooks.onTrouble(error);
  };
  const client = connect(url, onTrouble);
  const subscriber = connectListener(url, client, onTrouble);
  const live = new RedisLive({
    publisher: publisherOf(client),
    subscriber,
    prefix: PREFIX,
    origin,
    isTerminated: (conversationId) => storage.isTerminated(conversationId),
  });
  const protection = new RedisProtection({ client, subscriber, prefix: PREFIX, origin, hooks });
  const storage = openRedisStorage({ client, prefix: PREFIX, origin, live, onAppend: hooks.onAppend });
  const documents = new RedisDocuments(client, PREFIX);
  const knowledge = new RedisKnowledge(
    documents,
    (path) =>
      new LocalKnowledge(path, {
        ...embedding,
        embedder: embedding.embedder && sharedEmbedder(embedding.embedder, client, PREFIX),
        isDurable: false,
        space: () => documents.space(),
      }),
  );
  const search = new FollowingSearch({
    feed: storage.feed,
    log: storage,
    catalog: storage,
    folder,
    onTrouble: hooks.onTrouble,
  });
  const leases = new RedisLeases(client, PREFIX);
  return {
    name: 'redis',
    storage,
    feed: storage.feed,
    search,
    scenarios: new RedisScenarios(client, PREFIX),
    knowledge,
    live,
    // The key is the configuration's: other instances read what is sealed here.
    webhooks: {
      mayBeThere: true,
      open: () => new RedisWebhooks(client, PREFIX),
      ownKey: () => undefined,
    },
    dailyBudget:
      dailyLimitUsd === Infinity
        ? undefined
        : new RedisDailyBudget({ client, prefix: PREFIX, limitUsd: dailyLimitUsd, now: () => new Date() }),
    fileBytes: undefined,
    protection,
    tickets: new RedisTickets(client, PREFIX),
    leases,
    keyLedger: new RedisKeyLedger(client, PREFIX),
    sharedCounts: { connection: client, prefix: PREFIX },
    createRunner: (runnerHooks) =>
      new BullmqRunner({
        ...runnerHooks,
        connect: () => connect(url, onTrouble, { patient: true }),
        prefix: `{${PREFIX}:jobs}`,
        onTrouble,
        unfinished: () => storage.unfinished(),
        ownerOf: (conversationId) => readOwner(client, PREFIX, conversationId),
      }),
    async assertUsable() {
      try {
        await storage.healthCheck();
      } catch (error) {
        // Why it was not answered is what went wrong on the way to Redis.
        const { message } = (lastTrouble ?? error) as Error;
        throw new StorageError(`REDIS_URL: this Redis can't be used: ${message}`);
      }
    },
    durabilityWarning: () => storage.durabilityWarning(),
    async close() {
      await knowledge.close();
      protection.close();
      await search.close();
      leases.close();
      await storage.close();
      subscriber.disconnect();
    },
  };
}
