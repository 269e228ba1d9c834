import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Knowledge } from '../../src/conversation/knowledge/knowledge.ts';
import { LocalKnowledge } from '../../src/knowledge/local.ts';
import { RedisDocuments } from '../../src/knowledge/redis/documents.ts';
import { RedisKnowledge } from '../../src/knowledge/redis/knowledge.ts';
import { connect } from '../../src/storage/redis/connection.ts';
import { type RedisServer, startCluster, startRedis } from '../fixtures/redis.ts';
import { documentOf, knowledgeContract } from './knowledge.ts';

let redis: RedisServer;
let cluster: RedisServer;
beforeAll(async () => {
  [redis, cluster] = await Promise.all([startRedis(), startCluster()]);
});
afterAll(async () => {
  await Promise.all([redis.stop(), cluster.stop()]);
});

function open(url: string, prefix: string, count: number): Knowledge[] {
  return Array.from({ length: count }, () => {
    const client = connect(url, () => {});
    const documents = new RedisDocuments(client, prefix);
    const knowledge = new RedisKnowledge(documents, (path) => new LocalKnowledge(path, { isDurable: false }));
    onTestFinished(async () => {
      await knowledge.close();
      client.disconnect();
    });
    return knowledge;
  });
}

knowledgeContract('Redis, three instances', async () => open(redis.url, randomUUID(), 3));
knowledgeContract('Redis Cluster, two instances', async () => open(cluster.url, randomUUID(), 2));

describe('11 knowledge on Redis', () => {
  it('is found by an instance that comes later, and begun anew where Redis has lost it', async () => {
    const own = await startRedis({ appendonly: 'no' });
    onTestFinished(() => own.stop());
    const [first] = open(own.url, 'test', 1) as [Knowledge];
    for (const id of ['a', 'b']) await first.put('t', 'papers', documentOf(id, `Tram ${id}.`), undefined);
    const [later] = open(own.url, 'test', 1) as [Knowledge];
    expect((await later.collections('t', { limit: 1 })).items[0]?.documents).toBe(2);
    await own.kill();
    await own.restart();
    await expect
      .poll(() =>
        later.collections('t', { limit: 1 }).then(
          ({ items }) => items,
          () => 'away',
        ),
      )
      .toEqual([]);
  });
});
