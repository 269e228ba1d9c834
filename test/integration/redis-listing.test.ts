import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConversationFilter } from '../../src/conversation/log/log.ts';
import { conversation, ENDED_BY_USER, later, type Storage, settings } from '../fixtures/conversations.ts';
import { seededRandom } from '../fixtures/random.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { openInstance, operator } from '../fixtures/redis-storage.ts';

describe('lists out of the indexes', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  async function listAll(storage: Storage, filter: ConversationFilter, limit: number): Promise<string[]> {
    const topics: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await storage.list(filter, { limit, cursor });
      topics.push(...page.items.map((record) => record.settings.topic));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return topics;
  }

  it('find topics too long to be indexed among those that are, in order', async () => {
    const { storage, prefix } = openInstance(server.url);
    const random = seededRandom(1);
    const letters = (count: number): string =>
      Array.from({ length: count }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('');
    const topics: string[] = [];
    for (let index = 0; index < 8; index++) {
      const topic = `${letters(index % 2 === 0 ? 1900 : 20)} needle ${index}`;
      topics.unshift(topic);
      const createdAt = later(Math.floor(index / 2));
      await storage.create(conversation({ settings: settings({ topic }), createdAt }));
    }
    for (const limit of [1, 2, 3, 8]) expect(await listAll(storage, { q: 'NEEDLE' }, limit)).toEqual(topics);
    expect(await listAll(storage, { q: 'needle 4' }, 2)).toEqual([topics[3]]);
    expect(await operator(server.url).zcard(`${prefix}:index:long-topics`)).toBe(4);
  });

  it('go on past what does not fit the filter, batch after batch', async () => {
    const { storage } = openInstance(server.url);
    const all = Array.from({ length: 700 }, (_, index) =>
      conversation({ settings: settings({ topic: `topic ${index}` }), createdAt: later(index) }),
    );
    for (const made of all) await storage.create(made);
    for (const index of [0, 1, 350]) await storage.markTerminated(all[index]?.id ?? '', ENDED_BY_USER);
    const ended = ['topic 350', 'topic 1', 'topic 0'];
    for (const limit of [1, 2, 3, 4]) {
      expect(await listAll(storage, { status: 'terminated' }, limit)).toEqual(ended);
    }
    expect(await listAll(storage, {}, 200)).toEqual(all.map(({ settings: { topic } }) => topic).reverse());
    expect(await storage.unfinished()).toEqual(
      all.filter((_, index) => ![0, 1, 350].includes(index)).map(({ id }) => id),
    );
  });
});
