import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { AppError } from '../../src/errors.ts';
import { connect, connectListener } from '../../src/storage/redis/connection.ts';
import { conversation, ENDED_BY_USER, ended, readLog, reply, settings } from '../fixtures/conversations.ts';
import {
  type RedisServer,
  startCluster,
  startClusterOf,
  startRedis,
  startSentinel,
} from '../fixtures/redis.ts';
import { openInstance, operator } from '../fixtures/redis-storage.ts';
import { recordBehind } from '../fixtures/storage.ts';

const OVERLOADED = { code: 'overloaded', retryAfterSeconds: 5 };

/** Asks again until the storage can. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'overloaded')) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

describe('a server that fails', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());

  it('may forget the scripts, by a flush or a restart', async () => {
    const { storage, live } = openInstance(server.url);
    const made = conversation();
    await storage.create(made);
    await storage.addMessage(made.id, 2, [reply(3)]);
    await operator(server.url).script('FLUSH');
    expect(
      await Promise.all([4, 5].map((seq) => storage.addMessage(made.id, seq - 1, [reply(seq)]))),
    ).toEqual(['appended', 'appended']);
    await server.kill();
    await server.restart();
    expect(await patiently(() => storage.addMessage(made.id, 5, [reply(6)]))).toBe('appended');
    expect(await storage.markTerminated(made.id, ENDED_BY_USER)).toBe('appended');
    expect(live.seqs(made.id)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('3.2: keeps all that was acknowledged when it is killed', async () => {
    const { storage, live } = openInstance(server.url);
    const all = Array.from({ length: 20 }, () => conversation());
    await Promise.all(all.map((made) => storage.create(made)));
    const acknowledged = new Map<string, number>();
    const outcomes = new Set<string>();
    let kill: Promise<void> | undefined;
    await Promise.all(
      all.map(async ({ id }, index) => {
        for (let seq = 3; ; seq++) {
          const outcome = await storage
            .addMessage(id, seq - 1, [reply(seq)])
            .catch((error: AppError) => error.code);
          outcomes.add(outcome);
          if (outcome !== 'appended') return;
          acknowledged.set(id, seq);
          if (index === 0 && seq === 50) kill = server.kill();
        }
      }),
    );
    await kill;
    expect([...outcomes]).toEqual(['appended', 'overloaded']);
    await server.restart();
    for (const { id } of all) {
      const last = acknowledged.get(id) ?? 2;
      const log = await patiently(() => readLog(storage, id));
      expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
      expect(log.length - last).toBeOneOf([0, 1]);
      expect(await storage.get(id)).toMatchObject({ lastSeq: log.length, turns: log.length - 2 });
      // What was written without an answer is noticed by whoever tries again, and told then.
      const outcome = await storage.addMessage(id, last, [reply(last + 1)]);
      expect(outcome).toBe(log.length === last ? 'appended' : 'sequence_conflict');
      expect(live.seqs(id)).toEqual(Array.from({ length: last + 1 }, (_, index) => index + 1));
    }
  });

  it('tells of an append whose answer came too late, once, when it is tried again', async () => {
    const { storage, live } = openInstance(server.url);
    const made = conversation();
    await storage.create(made);
    await storage.getContext(made.id, 10);
    process.kill(server.pid(), 'SIGSTOP');
    onTestFinished(() => void process.kill(server.pid(), 'SIGCONT'));
    const after = recordBehind(made, reply(3), ended(4));
    const append = () => storage.backend.append(made.id, 2, [reply(3), ended(4)], after);
    await expect(append()).rejects.toMatchObject(OVERLOADED);
    await expect(storage.healthCheck()).rejects.toMatchObject(OVERLOADED);
    process.kill(server.pid(), 'SIGCONT');
    expect(await patiently(append)).toBe('terminated');
    expect(live.seqs(made.id)).toEqual([1, 2, 3, 4]);
    expect(await storage.getContext(made.id, 10)).toHaveLength(2);
  });

  it('is answered for with overloaded while it is gone, and gone on with when it is back', async () => {
    const { storage } = openInstance(server.url);
    const made = conversation();
    await storage.create(made);
    await server.kill();
    const answers = await Promise.allSettled([
      storage.addMessage(made.id, 2, [reply(3)]),
      storage.create(conversation()),
      storage.get(made.id),
      storage.list({}, { limit: 10 }),
      storage.unfinished(),
      storage.healthCheck(),
    ]);
    for (const answer of answers) expect(answer).toMatchObject({ status: 'rejected', reason: OVERLOADED });
    await expect(storage.healthCheck()).rejects.toThrow(/Redis can't be reached/);
    await server.restart();
    await patiently(() => storage.healthCheck());
    expect(await storage.addMessage(made.id, 2, [reply(3)])).toBe('appended');
  });

  it('writes nothing while its memory is full, and goes on when there is room', async () => {
    const { storage, live } = openInstance(server.url);
    const made = conversation();
    await storage.create(made);
    const admin = operator(server.url);
    await admin.config('SET', 'maxmemory', '1mb');
    onTestFinished(async () => void (await admin.config('SET', 'maxmemory', '0')));
    await expect(storage.addMessage(made.id, 2, [reply(3), ended(4)])).rejects.toMatchObject(OVERLOADED);
    await expect(storage.markTerminated(made.id, ENDED_BY_USER)).rejects.toMatchObject(OVERLOADED);
    await expect(storage.create(conversation())).rejects.toMatchObject(OVERLOADED);
    await expect(storage.healthCheck()).rejects.toThrow(/OOM/);
    expect(await storage.get(made.id)).toMatchObject({ lastSeq: 2, status: 'running', turns: 0 });
    await admin.config('SET', 'maxmemory', '0');
    await storage.healthCheck();
    expect(await storage.addMessage(made.id, 2, [reply(3), ended(4)])).toBe('appended');
    expect(live.seqs(made.id)).toEqual([1, 2, 3, 4]);
    expect((await storage.list({}, { limit: 10 })).items).toHaveLength(1);
  });

  it('says what is wrong where it is a replica, and goes on when it is master again', async () => {
    const { storage } = openInstance(server.url);
    const admin = operator(server.url);
    await admin.replicaof('127.0.0.1', 1);
    onTestFinished(async () => void (await admin.replicaof('NO', 'ONE')));
    await expect(storage.healthCheck()).rejects.toMatchObject(OVERLOADED);
    await admin.replicaof('NO', 'ONE');
    await patiently(() => storage.healthCheck());
  });
});

describe('a cluster', () => {
  it('is answered for with overloaded while it is gone, and gone on with when it is back', async () => {
    const cluster = await startCluster();
    onTestFinished(() => cluster.stop());
    const { storage, live } = openInstance(cluster.url);
    const made = conversation();
    await storage.create(made);
    expect(await storage.durabilityWarning()).toBeUndefined();
    await cluster.kill();
    await expect(storage.addMessage(made.id, 2, [reply(3)])).rejects.toMatchObject(OVERLOADED);
    await expect(storage.list({}, { limit: 10 })).rejects.toMatchObject(OVERLOADED);
    await cluster.restart();
    // What was tried while it went may have been written after all.
    const outcome = await patiently(() => storage.addMessage(made.id, 2, [reply(3)]));
    expect(['appended', 'sequence_conflict']).toContain(outcome);
    expect(live.seqs(made.id)).toEqual([1, 2, 3]);
    expect(await readLog(storage, made.id)).toHaveLength(3);
  });
});

describe('a listener on a cluster', () => {
  it('tells that its node is lost, and hears on another what is published', async () => {
    const cluster = await startClusterOf(3);
    onTestFinished(() => cluster.stop());
    const client = connect(cluster.url, () => {});
    const listener = connectListener(cluster.url, client, () => {});
    onTestFinished(() => {
      listener.disconnect();
      client.disconnect();
    });
    const heard: string[] = [];
    listener.on('message', (_channel: string, text: string) => heard.push(text));
    await listener.subscribe('news');
    await client.ping();
    const nodes = await Promise.all(
      cluster.nodes.map(async (server) => {
        const [, listeners] = (await operator(server.url).pubsub('NUMSUB', 'news')) as [string, number];
        return { server, isHeard: listeners === 1 };
      }),
    );
    expect(nodes.filter(({ isHeard }) => isHeard)).toHaveLength(1);
    const back = new Promise((resolve) => listener.once('ready', resolve));
    await nodes.find(({ isHeard }) => isHeard)?.server.kill();
    await back;
    await listener.subscribe('news');
    for (const { server, isHeard } of nodes) if (!isHeard) await operator(server.url).publish('news', 'here');
    await expect.poll(() => heard).toEqual(['here', 'here']);
  });
});

describe('a Sentinel', () => {
  it('says where the master is, also after it was away', async () => {
    const server = await startRedis();
    onTestFinished(() => server.stop());
    const sentinel = await startSentinel(server);
    onTestFinished(() => sentinel.stop());
    const { storage, prefix } = openInstance(sentinel.url);
    const made = conversation();
    await storage.create(made);
    expect(await openInstance(server.url, prefix).storage.get(made.id)).toMatchObject({ id: made.id });
    await server.kill();
    await expect(storage.addMessage(made.id, 2, [reply(3)])).rejects.toMatchObject(OVERLOADED);
    await server.restart();
    expect(await patiently(() => storage.addMessage(made.id, 2, [reply(3)]))).toBe('appended');
  });
});

describe('a process that ends between two writes', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(() => server.stop());
  afterEach(async () => void (await operator(server.url).acl('SETUSER', 'default', '+@all', '~*')));

  const FILTERS = [{}, { q: 'bees' }, { provider: 'claude' }, { status: 'running' as const }];

  it('leaves entries in the indexes that nobody sees, and that go in time', async () => {
    const { storage, prefix } = openInstance(server.url);
    const admin = operator(server.url);
    const kept = conversation({ settings: settings({ topic: 'Bees' }) });
    await storage.create(kept);
    await admin.acl('SETUSER', 'default', '-evalsha', '-eval');
    const old = conversation({ settings: settings({ topic: 'More bees' }) });
    const young = conversation({ settings: settings({ topic: 'Most bees' }), createdAt: new Date() });
    for (const made of [old, young]) await expect(storage.create(made)).rejects.toThrow(/NOPERM/);
    await admin.acl('SETUSER', 'default', '+@all');
    expect(await admin.zcard(`${prefix}:index:all`)).toBe(3);
    for (const filter of FILTERS) {
      const { items, nextCursor } = await storage.list(filter, { limit: 1 });
      expect(items.map(({ id }) => id)).toEqual([kept.id]);
      expect(nextCursor).toBeNull();
    }
    expect(await storage.unfinished()).toEqual([kept.id]);
    // One that is just being made looks the same: it stays, and is found as soon as it is there.
    for (const index of ['all', 'provider:claude', 'unfinished']) {
      const entries = await admin.zrange(`${prefix}:index:${index}`, '0', '-1');
      expect(entries.map((entry) => entry.slice(13))).toEqual([kept.id, young.id]);
    }
    expect(await storage.create(young)).toEqual({ outcome: 'created' });
    expect((await storage.list({ q: 'bees' }, { limit: 5 })).items.map(({ id }) => id)).toEqual([
      young.id,
      kept.id,
    ]);
  });

  it('leaves what was removed or has ended in no list', async () => {
    const { storage, prefix } = openInstance(server.url);
    const admin = operator(server.url);
    const [first, second, third] = [conversation(), conversation(), conversation()];
    for (const made of [first, second, third]) await storage.create(made);
    await admin.acl('SETUSER', 'default', '-zrem');
    expect(await storage.delete(first.id)).toBe(true);
    await storage.markTerminated(second.id, ENDED_BY_USER);
    await storage.close();
    expect(await admin.zcard(`${prefix}:index:unfinished`)).toBe(3);
    await admin.acl('SETUSER', 'default', '+@all');
    const { storage: next } = openInstance(server.url, prefix);
    expect((await next.list({ status: 'running' }, { limit: 5 })).items.map(({ id }) => id)).toEqual([
      third.id,
    ]);
    expect(await next.unfinished()).toEqual([third.id]);
    expect((await next.list({}, { limit: 5 })).items.map(({ id }) => id)).toEqual([third.id, second.id]);
    expect(await admin.zcard(`${prefix}:index:unfinished`)).toBe(1);
    expect(await admin.zcard(`${prefix}:index:all`)).toBe(2);
  });

  it('2.6: leaves an idempotency key for which the next one makes the same conversation', async () => {
    const idempotency = { key: 'a key', bodyHash: 'hash' };
    const { storage, prefix, live } = openInstance(server.url);
    const admin = operator(server.url);
    await admin.acl('SETUSER', 'default', 'resetkeys', '~*:idempotency:*');
    const lost = conversation({ idempotency, startedAt: null });
    await expect(storage.create(lost)).rejects.toThrow(/NOPERM/);
    await admin.acl('SETUSER', 'default', '~*');
    const other = openInstance(server.url, prefix);
    const replayed = { outcome: 'replayed', id: lost.id };
    expect(await other.storage.create(conversation({ idempotency }))).toEqual(replayed);
    expect(await storage.get(lost.id)).toMatchObject({ id: lost.id, status: 'queued', lastSeq: 2 });
    expect(await storage.unfinished()).toEqual([lost.id]);
    expect(await storage.create(conversation({ idempotency }))).toEqual(replayed);
    expect([...other.live.seqs(lost.id), ...live.seqs(lost.id)]).toEqual([1, 2]);
  });
});
