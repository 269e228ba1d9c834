import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { FollowingSearch } from '../../src/storage/search/following-search.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { openInstance } from '../fixtures/redis-storage.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { describeSearch } from './search.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
});
afterAll(() => server.stop());

describeSearch('Redis', async () => {
  const { storage } = openInstance(server.url);
  const { backend } = storage;
  const search = new FollowingSearch({
    feed: backend.feed,
    log: backend,
    catalog: backend,
    folder: temporaryFolder(),
    onTrouble: (error) => {
      throw error;
    },
    gatherMs: 0,
  });
  onTestFinished(() => search.close());
  return { storage, search, settled: async () => search.followed(await backend.feed.end()) };
});
