import { Queue } from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { BullmqRunner, type BullmqRunnerParts } from '../../src/runner/bullmq/runner.ts';
import { startInstance } from '../fixtures/instance.ts';
import { OWNER, UNLIMITED_SHARED } from '../fixtures/owner.ts';
import { type RedisServer, startCluster, startRedis } from '../fixtures/redis.ts';
import { stage } from '../fixtures/stage.ts';

const PREFIX = '{aic}';

let redis: RedisServer;
const runners: BullmqRunner[] = [];
beforeEach(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await Promise.all(runners.splice(0).map((runner) => runner.drain()));
  await redis.stop();
});

function connect(): Redis {
  return new Redis({ port: redis.port, maxRetriesPerRequest: null, retryStrategy: () => 50 });
}

/** An instance in this process, with its stage. */
function instance(maxActive: number, other: Partial<BullmqRunnerParts> = {}) {
  const scene = stage();
  const parts = { connect, prefix: PREFIX, unfinished: async () => [], maxActive };
  const runner = new BullmqRunner({ ...scene.parts, ...UNLIMITED_SHARED, ...parts, ...other });
  runners.push(runner);
  return { runner, ...scene };
}

/** The types of what BullMQ noted about a conversation. */
async function notedBy(conversationId: string): Promise<string[]> {
  const client = connect();
  const entries = await client.xrange(`${PREFIX}:conversations:events`, '-', '+');
  client.disconnect();
  return entries.flatMap(([, fields]) => {
    const at = fields.indexOf('jobId');
    return fields[at + 1] === conversationId ? [fields[fields.indexOf('event') + 1] ?? ''] : [];
  });
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `conversation-${index}`);
}

describe('conversations on several instances', () => {
  it('runs each on one of them, and shows how many wait', async () => {
    const one = instance(1);
    const two = instance(1);
    for (const id of ['a', 'b', 'c']) {
      one.runner.start(id, OWNER);
      two.runner.start(id, OWNER);
    }
    await expect.poll(() => one.runner.depth()).toEqual({ waiting: 1, active: 2, delayed: 0 });
    // A job counts as active before the instance that took it begins with it.
    await expect.poll(() => [one.runner.active(), two.runner.active()]).toEqual([1, 1]);
    const [first] = one.events.filter((event) => event.startsWith('began'));
    one.end(first?.slice('began '.length) ?? '');
    await expect.poll(() => two.runner.depth()).toEqual({ waiting: 0, active: 2, delayed: 0 });
    const began = (): string[] => [...one.events, ...two.events].filter((event) => event.startsWith('began'));
    await expect.poll(() => began().toSorted()).toEqual(['began a', 'began b', 'began c']);
  });

  it('runs 1,000 at the same time on one', async () => {
    const { runner } = instance(1000);
    for (const id of names(1000)) runner.start(id, OWNER);
    await expect.poll(() => runner.active()).toBe(1000);
    await expect.poll(() => runner.depth()).toEqual({ waiting: 0, active: 1000, delayed: 0 });
  });

  it('never begins more than there are places', async () => {
    const { runner, until, end } = instance(40);
    const ids = names(100);
    for (const id of ids) runner.start(id, OWNER);
    await expect.poll(() => runner.depth()).toEqual({ waiting: 60, active: 40, delayed: 0 });
    await expect.poll(() => runner.active()).toBe(40);
    for (const id of ids) {
      await until(`began ${id}`);
      expect(runner.active()).toBeLessThanOrEqual(40);
      end(id);
    }
  });

  it('leaves nothing behind when a conversation has ended, so that it can be started again', async () => {
    const { runner, until, end } = instance(1);
    runner.start('a', OWNER);
    await until('began a');
    end('a');
    await expect.poll(() => runner.depth()).toEqual({ waiting: 0, active: 0, delayed: 0 });
    runner.start('a', OWNER);
    await until('began a', 'began a');
    expect(runner.active()).toBe(1);
  });

  it('works on a Redis Cluster', async () => {
    const cluster = await startCluster();
    onTestFinished(() => cluster.stop());
    const nodes = [{ host: '127.0.0.1', port: cluster.port }];
    const { runner, until, end } = instance(2, {
      connect: () => new Cluster(nodes, { redisOptions: { maxRetriesPerRequest: null } }),
      unfinished: async () => ['b'],
    });
    runner.start('a', OWNER);
    await runner.resume();
    await until('began a', 'began b');
    end('a');
    await expect.poll(() => runner.depth()).toEqual({ waiting: 0, active: 1, delayed: 0 });
    await runner.drain();
    expect(runner.active()).toBe(0);
  });
});

describe('an instance that goes', () => {
  it('hands its conversations to another at once as it drains', async () => {
    const one = instance(50);
    const ids = names(50);
    for (const id of ids) one.runner.start(id, OWNER);
    await one.until(...ids.map((id) => `began ${id}`));
    const two = instance(50);
    await one.runner.drain();
    await two.until(...ids.map((id) => `began ${id}`));
    expect(one.events.filter((event) => event.startsWith('left'))).toHaveLength(50);
    expect(one.events).not.toContain('trouble');
    // Nobody waited for a lock to run out.
    for (const id of ids) expect(await notedBy(id)).not.toContain('stalled');
  });

  it('hands each back when its call has ended, without waiting for the others', async () => {
    const one = instance(2);
    for (const id of ['a', 'b']) {
      one.runner.start(id, OWNER);
      one.call(id);
    }
    await one.until('began a', 'began b');
    const two = instance(2);
    one.runner.leave();
    await one.until('left a', 'left b');
    one.end('a');
    await two.until('began a');
    expect(one.runner.active()).toBe(1);
    expect(one.events).not.toContain('aborted b');
    await one.runner.drain();
    await two.until('began b');
    expect(await notedBy('a')).not.toContain('stalled');
    expect(await notedBy('b')).not.toContain('stalled');
  });

  it('leaves to others what is started while it leaves', async () => {
    const one = instance(2);
    one.runner.start('a', OWNER);
    await one.until('began a');
    one.call('a');
    one.runner.leave();
    one.runner.start('b', OWNER);
    const two = instance(2);
    await two.until('began b');
    expect(one.events).not.toContain('began b');
    expect(one.runner.active()).toBe(1);
  });

  it('loses its conversations to another when it is killed, however often that happened before', async () => {
    const ids = names(10);
    const one = startInstance(redis.port, 10, ids);
    await one.until(...ids.map((id) => `began ${id}`));
    const client = connect();
    for (const id of ids) await client.hset(`${PREFIX}:conversations:${id}`, 'stc', 1000);
    client.disconnect();
    const two = instance(10);
    const killedAt = performance.now();
    one.kill('SIGKILL');
    await two.until(...ids.map((id) => `began ${id}`));
    console.log(`killed; all 10 began elsewhere after ${Math.round(performance.now() - killedAt)} ms`);
    expect(await notedBy('conversation-0')).toContain('stalled');
    expect(two.runner.active()).toBe(10);
  });

  it('breaks off what it lost while it was stopped, and takes its place again', async () => {
    const one = startInstance(redis.port, 1, ['a']);
    await one.until('began a');
    const two = instance(1);
    one.kill('SIGSTOP');
    await two.until('began a');
    expect(one.events).not.toContain('aborted a');
    one.kill('SIGCONT');
    await one.until('aborted a', 'trouble');
    expect(two.events).not.toContain('aborted a');
    two.runner.start('b', OWNER);
    await one.until('began b');
  });

  it('takes no more as it drains, and leaves what waits to others', async () => {
    const one = instance(1);
    one.runner.start('a', OWNER);
    await one.until('began a');
    one.runner.start('b', OWNER);
    await one.runner.drain();
    const two = instance(2);
    await two.until('began a', 'began b');
    expect(one.events).not.toContain('began b');
  });

  it('drains also while Redis does not answer, and its conversations go on when it does', async () => {
    const one = instance(1);
    one.runner.start('a', OWNER);
    await one.until('began a');
    process.kill(redis.pid(), 'SIGSTOP');
    await one.runner.drain();
    expect(one.events).toContain('left a');
    process.kill(redis.pid(), 'SIGCONT');
    const two = instance(1);
    await two.until('began a');
  });

  it('drains also where Redis was never there, and its process ends', async () => {
    await redis.kill();
    const one = startInstance(redis.port, 1, ['a']);
    await one.until('trouble');
    one.kill('SIGTERM');
    await one.until('drained');
    expect(await one.exited).toEqual([0, null]);
  });
});

describe('8.8: limits and turns of all instances together', () => {
  const limited = { tenant: 'acme', key: 'limited' };
  const two = () => 2;
  const waiting = async (runner: BullmqRunner): Promise<number> => (await runner.depth()).waiting;

  it('activeConversations: the next of a key waits, whichever instance it comes to, until one of its own ends', async () => {
    const here = instance(10, { activeLimitOf: two });
    const there = instance(10, { activeLimitOf: two });
    const began = (): string[] =>
      [...here.events, ...there.events].filter((event) => event.startsWith('began'));
    for (const [index, id] of ['a', 'b', 'c', 'd'].entries()) {
      (index % 2 ? here : there).runner.start(id, limited);
      await expect.poll(async () => began().length + (await waiting(here.runner))).toBe(index + 1);
    }
    await expect.poll(() => here.runner.depth()).toEqual({ waiting: 2, active: 2, delayed: 0 });
    for (const scene of [here, there]) scene.end('a');
    await expect.poll(() => began().toSorted()).toEqual(['began a', 'began b', 'began c']);
    await expect.poll(() => there.runner.depth()).toEqual({ waiting: 1, active: 2, delayed: 0 });
  });

  it('a killed instance leaves no place taken: its conversations go on in theirs, and the next come after them', async () => {
    const killed = startInstance(redis.port, 10, ['a', 'b'], { limit: 2 });
    await killed.until('began a', 'began b');
    const { runner, until, events, end } = instance(10, { activeLimitOf: two });
    for (const id of ['c', 'd']) runner.start(id, { tenant: 'acme', key: 'limited' });
    await expect.poll(() => waiting(runner)).toBe(2);
    killed.kill('SIGKILL');
    await until('began a', 'began b');
    expect(await waiting(runner)).toBe(2);
    expect(events).not.toContain('began c');
    for (const [id, next] of [
      ['a', 'c'],
      ['b', 'd'],
    ] as const) {
      end(id);
      await until(`began ${next}`);
    }
    for (const id of ['c', 'd']) end(id);
    await expect.poll(() => runner.depth()).toEqual({ waiting: 0, active: 0, delayed: 0 });
  });

  it('a place that nobody gave on, since an instance died between the two, is found free', async () => {
    const { runner, until } = instance(10, { activeLimitOf: () => 1 });
    const client = connect();
    await client.zadd(`${PREFIX}:admission:held:limited`, Date.now() - 6000, 'gone');
    client.disconnect();
    runner.start('a', limited);
    await expect.poll(() => waiting(runner)).toBe(1);
    await until('began a');
  });

  it('a limit that is raised lets in who waits', async () => {
    let limit: number | undefined = 1;
    const { runner, until } = instance(10, { activeLimitOf: () => limit });
    for (const id of ['a', 'b', 'c']) runner.start(id, limited);
    await expect.poll(() => runner.depth()).toEqual({ waiting: 2, active: 1, delayed: 0 });
    limit = undefined;
    await until('began a', 'began b', 'began c');
  });

  it('places are given out by turns between tenants, on whichever instance one is free', async () => {
    const scenes = [instance(1), instance(1)];
    const [here, there] = scenes.map(({ runner }) => runner);
    const acme = names(200);
    for (const id of acme) here?.start(id, { tenant: 'acme', key: undefined });
    await expect.poll(() => here?.depth()).toEqual({ waiting: 198, active: 2, delayed: 0 });
    there?.start('globex', { tenant: 'globex', key: undefined });
    await expect.poll(() => here?.depth()).toMatchObject({ waiting: 199 });
    await expect.poll(() => scenes.map(({ runner }) => runner.active())).toEqual([1, 1]);
    const scene = scenes.find(({ events }) => events.some((event) => event.startsWith('began')));
    const running = scene?.events.find((event) => event.startsWith('began'))?.slice('began '.length) ?? '';
    scene?.end(running);
    await scene?.until('began globex');
  });

  it('adds what is missing for whom it belongs to', async () => {
    const { runner, until, events } = instance(10, {
      activeLimitOf: () => 1,
      unfinished: async () => ['a', 'b'],
      ownerOf: async () => limited,
    });
    await runner.resume();
    await runner.resume();
    await until('began a');
    expect(await waiting(runner)).toBe(1);
    expect(events).not.toContain('began b');
  });
});

describe('Redis goes and comes back', () => {
  it('restarts in the middle: what ran goes on, and what is new begins', async () => {
    const { runner, until } = instance(3);
    runner.start('a', OWNER);
    await until('began a');
    await redis.kill();
    await until('trouble');
    runner.start('b', OWNER);
    await redis.restart();
    await until('began b');
    runner.start('c', OWNER);
    await until('began c');
    await expect.poll(() => runner.active()).toBe(3);
    await expect.poll(() => runner.depth()).toEqual({ waiting: 0, active: 3, delayed: 0 });
  });

  it('stays away for longer than a lock holds: what ran is broken off, and begins again afterwards', async () => {
    const { runner, until } = instance(1);
    runner.start('a', OWNER);
    await until('began a');
    await redis.kill();
    await until('aborted a', 'trouble');
    await redis.restart();
    await until('began a', 'began a');
    expect(runner.active()).toBe(1);
  });
});

describe('repair', () => {
  it('adds the jobs that are missing, and changes nothing about the others', async () => {
    const ids = names(1200);
    const { runner, until, events } = instance(1200, { unfinished: async () => ids });
    runner.start('conversation-0', OWNER);
    await until('began conversation-0');
    expect(await runner.resume()).toBe(1200);
    await expect.poll(() => runner.active()).toBe(1200);
    await runner.resume();
    await expect.poll(() => runner.depth()).toEqual({ waiting: 0, active: 1200, delayed: 0 });
    expect(events.filter((event) => event.startsWith('began'))).toHaveLength(1200);
  });

  it('is done every minute by one of all instances, even where every place is taken', async () => {
    let forgotten: string[] = [];
    const asked: string[][] = [];
    const other = {
      unfinished: async () => {
        asked.push(forgotten);
        return forgotten;
      },
    };
    const one = instance(1, other);
    const two = instance(1, other);
    one.runner.start('a', OWNER);
    one.runner.start('b', OWNER);
    await expect.poll(() => one.runner.depth()).toEqual({ waiting: 0, active: 2, delayed: 0 });
    const connection = connect();
    const repairs = new Queue('repairs', { connection, prefix: PREFIX });
    onTestFinished(() => connection.disconnect());
    await expect.poll(() => repairs.getJobSchedulers()).toMatchObject([{ key: 'repair', every: 60_000 }]);
    // The first is done at once, the next after a minute: the test doesn't wait for it.
    await expect.poll(() => asked).toEqual([[]]);
    await expect.poll(() => repairs.getJobCounts()).toMatchObject({ delayed: 1, active: 0, waiting: 0 });
    forgotten = ['c'];
    const [next] = await repairs.getDelayed();
    await next?.promote();
    await expect.poll(() => one.runner.depth()).toEqual({ waiting: 1, active: 2, delayed: 0 });
    expect(asked).toEqual([[], ['c']]);
    await expect.poll(() => two.runner.active()).toBe(1);
  });
});
