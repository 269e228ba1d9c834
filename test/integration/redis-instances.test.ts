import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LiveMessage, liveChannel } from '../../src/live/messages.ts';
import { conversation, ENDED_BY_USER, ended, later, readLog, reply } from '../fixtures/conversations.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { openInstance, operator, type RedisInstance } from '../fixtures/redis-storage.ts';

describe('two instances on one Redis', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  function pair(): { first: RedisInstance; second: RedisInstance; prefix: string } {
    const prefix = randomUUID();
    return {
      first: openInstance(server.url, prefix, 'first'),
      second: openInstance(server.url, prefix, 'second'),
      prefix,
    };
  }

  it('3.3: take a turn once; the loser reads on, and its context is the log', async () => {
    const { first, second } = pair();
    const { id, ...rest } = conversation();
    await first.storage.create({ id, ...rest });
    await first.storage.addMessage(id, 2, [reply(3)]);
    for (const { storage } of [first, second]) expect(await storage.getContext(id, 2)).toHaveLength(2);
    const outcomes = await Promise.all([
      first.storage.addMessage(id, 3, [reply(4, { content: 'of the first' })]),
      second.storage.addMessage(id, 3, [reply(4, { content: 'of the second' })]),
    ]);
    expect(outcomes.toSorted()).toEqual(['appended', 'sequence_conflict']);
    const winner = outcomes[0] === 'appended' ? first : second;
    expect(winner.live.seqs(id).at(-1)).toBe(4);
    const contents = async ({ storage }: RedisInstance) =>
      (await storage.getContext(id, 2)).map(({ content }) => content);
    expect(await contents(first)).toEqual(['reply 1', `of the ${winner === first ? 'first' : 'second'}`]);
    expect(await contents(second)).toEqual(await contents(first));
    expect(await first.storage.get(id)).toEqual(await second.storage.get(id));
  });

  it('go on with what the other wrote when a run begins', async () => {
    const { first, second } = pair();
    const { id, ...rest } = conversation();
    await first.storage.create({ id, ...rest });
    await first.storage.addMessage(id, 2, [reply(3)]);
    expect(await first.storage.getContext(id, 10)).toHaveLength(2);
    await second.storage.addMessage(id, 3, [reply(4)]);
    await second.storage.addMessage(id, 4, [reply(5)]);
    expect(await first.storage.readOn(id, 0, 100)).toHaveLength(5);
    expect((await first.storage.getContext(id, 2)).map(({ seq }) => seq)).toEqual([4, 5]);
    await second.storage.addMessage(id, 5, [reply(6)]);
    expect(await first.storage.addMessage(id, 5, [reply(6, { content: 'too late' })])).toBe(
      'sequence_conflict',
    );
    expect((await first.storage.getContext(id, 2)).map(({ content }) => content)).toEqual([
      'reply 3',
      'reply 4',
    ]);
  });

  it('3.4: end a conversation once, from either side', async () => {
    const { first, second } = pair();
    const { id, ...rest } = conversation();
    await first.storage.create({ id, ...rest });
    const outcomes = await Promise.all([
      first.storage.addMessage(id, 2, [reply(3), ended(4)]),
      second.storage.markTerminated(id, ENDED_BY_USER),
    ]);
    expect(outcomes.toSorted()).toEqual(['appended', 'terminated']);
    const log = await readLog(second.storage, id);
    expect(log.filter(({ type }) => type === 'conversation.terminated')).toHaveLength(1);
    expect(await first.storage.addMessage(id, log.length, [reply(log.length + 1)])).toBe('terminated');
    expect(await first.storage.isTerminated(id)).toBe(true);
    expect(await second.storage.unfinished()).toEqual([]);
  });

  it('2.6: make one conversation of two calls at the same moment', async () => {
    const { first, second } = pair();
    for (let round = 0; round < 20; round++) {
      const idempotency = { key: `key ${round}`, bodyHash: 'hash' };
      const calls = [first, second].map(({ storage }, index) => ({
        storage,
        made: conversation({ idempotency, createdAt: later(round * 2 + index) }),
      }));
      const outcomes = await Promise.all(calls.map(({ storage, made }) => storage.create(made)));
      const winner = outcomes.findIndex(({ outcome }) => outcome === 'created');
      const id = calls[winner]?.made.id;
      expect(outcomes[1 - winner]).toEqual({ outcome: 'replayed', id });
      const { items } = await first.storage.list({}, { limit: 200 });
      expect(items).toHaveLength(round + 1);
      expect(items[0]).toMatchObject({ id, createdAt: calls[winner]?.made.createdAt.toISOString() });
      expect([...first.live.seqs(id ?? ''), ...second.live.seqs(id ?? '')]).toEqual([1, 2]);
    }
  });

  it('2.6: remove a conversation for good while the other finds its key', async () => {
    const { first, second } = pair();
    const idempotency = { key: 'a key', bodyHash: 'hash' };
    for (let round = 0; round < 30; round++) {
      const made = conversation({ idempotency });
      expect(await first.storage.create(made)).toEqual({ outcome: 'created' });
      const again = conversation({ idempotency });
      const [removed, answer] = await Promise.all([
        first.storage.delete(made.id),
        second.storage.create(again),
      ]);
      expect(removed).toBe(true);
      expect(await second.storage.get(made.id)).toBeUndefined();
      expect([{ outcome: 'replayed', id: made.id }, { outcome: 'created' }]).toContainEqual(answer);
      // Either the new one is there, or none.
      expect(await first.storage.delete(again.id)).toBe(answer.outcome === 'created');
      expect(await first.storage.unfinished()).toEqual([]);
    }
  });

  it('2.6: do not make again what was removed since its key was found', async () => {
    const { first, second, prefix } = pair();
    const admin = operator(server.url);
    const idempotency = { key: 'a key', bodyHash: 'hash' };
    const made = conversation({ idempotency });
    await first.storage.create(made);
    const claim = `${prefix}:idempotency:${createHash('sha256').update('a key').digest('hex')}`;
    const found = await admin.hgetall(claim);
    expect(found).toMatchObject({ id: made.id });
    await first.storage.delete(made.id);
    expect(await admin.exists(claim)).toBe(0);
    await admin.hset(claim, found);
    await expect(second.storage.create(conversation({ idempotency }))).rejects.toMatchObject({
      code: 'overloaded',
    });
    expect(await second.storage.get(made.id)).toBeUndefined();
    expect((await first.storage.list({}, { limit: 10 })).items).toEqual([]);
  });

  it('3.2: publish what they append, as it stands in the log, with their name', async () => {
    const { first, second, prefix } = pair();
    const { id, ...rest } = conversation();
    const messages: LiveMessage[] = [];
    const subscriber = operator(server.url);
    await subscriber.subscribe(liveChannel(prefix, id));
    subscriber.on('message', (_channel, text: string) => messages.push(JSON.parse(text) as LiveMessage));
    await first.storage.create({ id, ...rest });
    const content = '“Ja”/n\u2028\t\\ 🙂 日本 \ud800';
    await second.storage.addMessage(id, 2, [reply(3, { content })]);
    await first.storage.addMessage(id, 2, [reply(3)]);
    await first.storage.addMessage(id, 3, [reply(4)]);
    await second.storage.markTerminated(id, { ...ENDED_BY_USER, detail: content });
    const log = await readLog(first.storage, id);
    await first.storage.delete(id);
    while (messages.length < 5) await once(subscriber, 'message');
    expect(messages).toEqual([
      { origin: 'first', entries: log.slice(0, 2) },
      { origin: 'second', entries: log.slice(2, 3) },
      { origin: 'first', entries: log.slice(3, 4) },
      { origin: 'second', entries: log.slice(4) },
      { origin: 'first', removed: true },
    ]);
  });

  it('leave no key behind of what was removed', async () => {
    const { first, prefix } = pair();
    const admin = operator(server.url);
    const made = conversation({ idempotency: { key: 'a key', bodyHash: 'hash' } });
    await first.storage.create(made);
    await first.storage.addMessage(made.id, 2, [reply(3), ended(4)]);
    expect(await admin.keys(`*${prefix}*`)).not.toEqual([]);
    await first.storage.delete(made.id);
    await first.storage.close();
    const keys = await admin.keys(`*${prefix}*`);
    // The feed says for a while that it was removed, for indexes to follow.
    const left = keys.filter((key) => key !== `{${prefix}:feed}:entries`);
    // That it was there is known for a minute, for those who found its idempotency key a moment before.
    expect(left).toEqual([`{${prefix}:conversation:${made.id}}:tombstone`]);
    expect(await admin.pttl(left[0] ?? '')).toBeLessThanOrEqual(60_000);
  });
});

describe('what durability needs', () => {
  const ALL = { appendonly: 'no', appendfsync: 'everysec', 'maxmemory-policy': 'allkeys-lru' };

  it('is said at the start where it is lacking, or can not be asked', async () => {
    const server = await startRedis(ALL);
    try {
      const { storage } = openInstance(server.url);
      const warning = await storage.durabilityWarning();
      for (const part of ['appendonly is no', 'appendfsync is everysec', 'maxmemory-policy is allkeys-lru']) {
        expect(warning).toContain(part);
      }
      const admin = operator(server.url);
      for (const [name, value] of [
        ['appendonly', 'yes'],
        ['appendfsync', 'always'],
        ['maxmemory-policy', 'noeviction'],
      ] as const) {
        await admin.config('SET', name, value);
      }
      expect(await storage.durabilityWarning()).toBeUndefined();
      await admin.acl('SETUSER', 'default', '-config');
      expect(await storage.durabilityWarning()).toMatch(/does not say how it is set.*appendfsync always/);
    } finally {
      await server.stop();
    }
  });
});
