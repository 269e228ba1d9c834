import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import type { LiveAnnouncer } from '../../src/conversation/stream/live.ts';
import { connect } from '../../src/storage/redis/connection.ts';
import { openRedisStorage, type RedisStorage } from '../../src/storage/redis/storage.ts';
import { type RedisServer, startCluster, startRedis } from '../fixtures/redis.ts';
import { openInstance } from '../fixtures/redis-storage.ts';
import { type Asked, asked } from '../fixtures/storage.ts';
import { describeFeed } from './feed.ts';
import { describeQueue } from './log.ts';
import { describeRandomly } from './random.ts';

function describeBackend(name: string, start: () => Promise<RedisServer>): void {
  describe(`on ${name}`, () => {
    let server: RedisServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server.stop());

    /** On the one server, each storage has keys of its own. */
    function open(live: LiveAnnouncer): Asked<RedisStorage> {
      const prefix = randomUUID();
      const storage = openRedisStorage({
        client: connect(server.url, () => {}),
        prefix,
        origin: 'a test',
        live,
      });
      onTestFinished(() => storage.close());
      return asked(storage);
    }
    describeFeed(name, () => {
      const prefix = randomUUID();
      return { open: () => openInstance(server.url, prefix).storage };
    });
    describeQueue(name, open);
    describeRandomly(name, open);
  });
}

describeBackend('Redis', startRedis);
describeBackend('Redis Cluster', startCluster);
