import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, onTestFinished } from 'vitest';
import { connect } from '../../src/storage/redis/connection.ts';
import { RedisWebhooks } from '../../src/storage/redis/webhooks.ts';
import { SqliteWebhooks } from '../../src/storage/sqlite/webhooks.ts';
import { type RedisServer, startCluster, startRedis } from '../fixtures/redis.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { describeWebhooks } from './webhooks.ts';

describeWebhooks('SQLite', () => {
  const store = new SqliteWebhooks(temporaryFolder());
  onTestFinished(() => store.close());
  return store;
});

describe.each([
  ['Redis', startRedis],
  ['Redis Cluster', startCluster],
])('on %s', (name, start) => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.stop());

  describeWebhooks(name, () => {
    const client = connect(server.url, () => {});
    onTestFinished(() => client.disconnect());
    return new RedisWebhooks(client, randomUUID());
  });
});
