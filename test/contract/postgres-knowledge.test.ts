import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Embedder } from '../../src/conversation/knowledge/embedder.ts';
import { LocalKnowledge } from '../../src/knowledge/local.ts';
import { RedisDocuments } from '../../src/knowledge/redis/documents.ts';
import { RedisKnowledge } from '../../src/knowledge/redis/knowledge.ts';
import { connect } from '../../src/storage/redis/connection.ts';
import { wordEmbedder } from '../fixtures/knowledge/embedder.ts';
import { type PostgresServer, startPostgres } from '../fixtures/postgres.ts';
import { startRedis } from '../fixtures/redis.ts';
import { failToStart, temporaryFolder } from '../fixtures/server.ts';
import { documentOf, knowledgeContract } from './knowledge.ts';

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());

const T = 'one-tenant';
const NEVER = new AbortController().signal;

function open(path: string, embedder: Embedder, onFailure?: () => void): LocalKnowledge {
  const knowledge = new LocalKnowledge(path, {
    embedder,
    vectorUrl: postgres.url,
    onEmbeddingFailure: () => onFailure?.(),
  });
  onTestFinished(() => knowledge.close());
  return knowledge;
}
const newPath = (): string => join(temporaryFolder(), 'knowledge.sqlite');
const found = async (knowledge: Pick<LocalKnowledge, 'search'>, q: string, collection = 'papers') => {
  const result = await knowledge.search(T, collection, q, { limit: 5, signal: NEVER });
  return { ids: result?.items.map(({ documentId }) => documentId), degraded: result?.degraded };
};
/** How many vectors there are of a collection, which no other test has. */
const count = (collection: string): number =>
  Number(postgres.query(`SELECT count(*) FROM aic_vectors WHERE collection = '${collection}'`)[0]);

knowledgeContract('SQLite with vectors in PostgreSQL', async () => [open(newPath(), wordEmbedder())]);

describe('11.2 vectors in PostgreSQL', () => {
  it('find what means the same, and go with their documents', async () => {
    const knowledge = open(newPath(), wordEmbedder());
    for (const text of ['A streetcar runs.', 'A vessel floats.', 'Cheese.']) {
      await knowledge.put(T, 'go', documentOf(text.split(' ')[1] ?? 'c', text), undefined);
    }
    expect(await found(knowledge, 'boat', 'go')).toEqual({ ids: ['vessel'], degraded: false });
    expect(count('go')).toBe(3);
    await knowledge.deleteDocument(T, 'go', 'vessel');
    expect((await found(knowledge, 'boat', 'go')).ids).toEqual([]);
    await expect.poll(() => count('go')).toBe(2);
    await knowledge.deleteCollection(T, 'go');
    await expect.poll(() => count('go')).toBe(0);
  });

  it('are made once for the same text, and anew for another model', async () => {
    const path = newPath();
    const first = wordEmbedder();
    const knowledge = open(path, first);
    for (const collection of ['once', 'twice']) {
      await knowledge.put(T, collection, documentOf('a', 'A vessel floats.'), undefined);
    }
    expect([first.embedded.length, count('once'), count('twice')]).toEqual([1, 1, 1]);
    await knowledge.close();
    const second = wordEmbedder('others');
    const again = open(path, second);
    await expect.poll(async () => (await found(again, 'boat', 'twice')).ids).toEqual(['a']);
    await expect.poll(() => [count('once'), count('twice')]).toEqual([1, 1]);
    expect(second.embedded).toHaveLength(1);
  });

  it('that nothing knows any more are removed by the next process, those of other servers are not', async () => {
    const path = newPath();
    const knowledge = open(path, wordEmbedder());
    await knowledge.put(T, 'left', documentOf('a', 'A vessel floats.'), undefined);
    await knowledge.close();
    const more = (space: string) => `INSERT INTO aic_vectors (space, model, hash, tenant, collection, vector)
      SELECT ${space}, model, '\\x00', tenant, collection, vector FROM aic_vectors WHERE collection = 'left' LIMIT 1`;
    postgres.query(more('space'));
    postgres.query(more(`'another'`));
    const again = open(path, wordEmbedder());
    await expect.poll(() => count('left')).toBe(2);
    expect(postgres.query(`SELECT 1 FROM aic_vectors WHERE space = 'another'`)).toEqual(['1']);
    expect((await found(again, 'boat', 'left')).ids).toEqual(['a']);
  });

  it('leave BM25 while the database is away, marked, and are made good when it is back', async () => {
    const failed = Promise.withResolvers<void>();
    const knowledge = open(newPath(), wordEmbedder(), failed.resolve);
    await knowledge.put(T, 'away', documentOf('a', 'A vessel floats.'), undefined);
    await knowledge.put(T, 'away', documentOf('b', 'A boat sinks.'), undefined);
    await postgres.kill();
    await knowledge.put(T, 'away', documentOf('c', 'A streetcar runs.'), undefined);
    await knowledge.deleteDocument(T, 'away', 'b');
    expect(await found(knowledge, 'vessel tram', 'away')).toEqual({ ids: ['a'], degraded: true });
    await failed.promise;
    await postgres.restart();
    await expect.poll(() => found(knowledge, 'tram', 'away')).toEqual({ ids: ['c'], degraded: false });
    await expect.poll(() => count('away')).toBe(2);
  });

  it('are shared by instances on one Redis', async () => {
    const redis = await startRedis();
    onTestFinished(() => redis.stop());
    const prefix = randomUUID();
    const start = () => {
      const client = connect(redis.url, () => {});
      const documents = new RedisDocuments(client, prefix);
      const space = () => documents.space();
      const options = { isDurable: false, space, embedder: wordEmbedder(), vectorUrl: postgres.url };
      const knowledge = new RedisKnowledge(documents, (path) => new LocalKnowledge(path, options));
      onTestFinished(async () => {
        await knowledge.close();
        client.disconnect();
      });
      return { knowledge, embedded: options.embedder.embedded };
    };
    const one = start();
    await one.knowledge.put(T, 'shared', documentOf('a', 'A vessel floats.'), undefined);
    await expect.poll(async () => (await found(one.knowledge, 'boat', 'shared')).ids).toEqual(['a']);
    const left = `INSERT INTO aic_vectors (space, model, hash, tenant, collection, vector, kept_at)
      SELECT space, model, '\\x00', tenant, collection, vector, now() - interval '2 hours'
      FROM aic_vectors WHERE collection = 'shared'`;
    postgres.query(left);
    const other = start();
    await expect.poll(async () => (await found(other.knowledge, 'boat', 'shared')).ids).toEqual(['a']);
    await expect.poll(() => count('shared')).toBe(1);
    expect([one.embedded.length, other.embedded.length]).toEqual([1, 0]);
    await other.knowledge.deleteDocument(T, 'shared', 'a');
    expect((await found(one.knowledge, 'boat', 'shared')).ids).toBeUndefined();
    await expect.poll(() => count('shared')).toBe(0);
  });

  it('6 VECTOR_URL that is none, or without EMBEDDINGS_PROVIDER, stops the start and shows no password', async () => {
    const embeddings = { EMBEDDINGS_PROVIDER: 'chatgpt', OPENAI_API_KEY: 'sk-none' };
    const wrong = await failToStart({ ...embeddings, VECTOR_URL: 'mysql://me:hush@host/talks' });
    expect(wrong.errors).toContain('VECTOR_URL');
    expect(wrong.errors).toContain('takes postgres://');
    const alone = await failToStart({ VECTOR_URL: 'postgres://me:hush@host/talks' });
    expect(alone.errors).toContain('takes it only with EMBEDDINGS_PROVIDER');
    expect(wrong.errors + alone.errors).not.toContain('hush');
  });
});
