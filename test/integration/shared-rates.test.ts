import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { LaneOptions } from '../../src/conversation/turn/lane.ts';
import type { Lanes } from '../../src/protection/lanes.ts';
import {
  laneOptions,
  PLACES,
  type ProtectedLane,
  protectedLane,
  protectedLanes,
} from '../fixtures/protected-lane.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';

const MINUTE = 60_000;

interface Limits {
  requestsPerMinute?: number;
  tokensPerMinute?: number;
}

/** Two instances' lanes to one model, with keys of their own on that server. */
function pair(url: string, limits: Limits, prefix: string = randomUUID()) {
  return Promise.all([protectedLane(url, prefix, limits), protectedLane(url, prefix, limits)]);
}

function call({ lane }: ProtectedLane, extra: Partial<LaneOptions> = {}): Promise<string> {
  return lane.run(() => Promise.resolve('said'), laneOptions(extra));
}

/** A call that waits; how to leave. */
function wait(instance: ProtectedLane, tokens: number) {
  const aborter = new AbortController();
  const run = call(instance, { tokens, signal: aborter.signal });
  return {
    leave: async () => {
      aborter.abort(new Error('left'));
      await expect(run).rejects.toThrow('left');
    },
  };
}

describe.each(PLACES)('rate limits on %s', (_, start) => {
  let redis: RedisServer;
  let node: Redis;
  beforeAll(async () => {
    redis = await start();
    node = new Redis(redis.port);
  });
  afterAll(async () => {
    node.disconnect();
    await redis.stop();
  });

  /** Milliseconds until all buckets are full: beyond a minute, somebody waits. */
  async function fullInMs(prefix: string): Promise<number> {
    const keys = await node.keys(`*${prefix}*`);
    return Math.max(0, ...(await Promise.all(keys.map((key) => node.pttl(key)))));
  }

  it.each<Limits>([
    { requestsPerMinute: 120 },
    { tokensPerMinute: 1200 },
    { requestsPerMinute: 120, tokensPerMinute: 120_000 },
    { requestsPerMinute: 120_000, tokensPerMinute: 1200 },
  ])('three instances together call no more often than %o says, each in order', async (limits) => {
    const prefix = randomUUID();
    const instances = await Promise.all([1, 2, 3].map(() => protectedLane(redis.url, prefix, limits)));
    const startedAt = performance.now();
    const calls: { owner: number; number: number; atMs: number }[] = [];
    // All of its own an instance alone would have room for at once.
    const numbers = Array.from({ length: 41 }, (_, number) => number);
    await Promise.all(
      instances.flatMap(({ lane }, owner) =>
        numbers.map((number) =>
          lane.run(
            async () => void calls.push({ owner, number, atMs: performance.now() - startedAt }),
            laneOptions({ tokens: 10 }),
          ),
        ),
      ),
    );
    for (const [index, { atMs }] of calls.entries()) {
      // A full bucket, and what flowed in meanwhile.
      expect(index + 1).toBeLessThanOrEqual(120 + (atMs / MINUTE) * 120);
    }
    for (const owner of instances.keys()) {
      expect(calls.filter((made) => made.owner === owner).map(({ number }) => number)).toEqual(numbers);
    }
  });

  it('DESIGN 14: the limit of an account is that of all its names on all instances, by turns of tenants', async () => {
    const prefix = randomUUID();
    const limits = { requestsPerMinute: 120 };
    const instances = await Promise.all([1, 2].map(() => protectedLanes(redis.url, prefix, limits)));
    const startedAt = performance.now();
    const calls: { tenant: string; atMs: number }[] = [];
    const come = (lanes: Lanes, model: string, tenant: string) =>
      lanes
        .lane('claude', model)
        .run(
          async () => void calls.push({ tenant, atMs: performance.now() - startedAt }),
          laneOptions({ tenant }),
        );
    await Promise.all(
      instances.flatMap(({ lanes }) => [
        ...Array.from({ length: 64 }, (_, index) => come(lanes, `alias ${index % 4}`, 'many')),
        ...Array.from({ length: 2 }, (_, index) => come(lanes, `alias ${index}`, 'few')),
      ]),
    );
    for (const [index, { atMs }] of calls.entries()) expect(index + 1).toBeLessThanOrEqual(121 + atMs / 500);
    // They came last, and were not last to be served.
    const lastOfFew = calls.findLastIndex(({ tenant }) => tenant === 'few');
    expect(lastOfFew).toBeLessThan(20);
  });

  it('who leaves, before or after Redis has answered, takes nothing with them', async () => {
    const prefix = randomUUID();
    const [first, second] = await pair(redis.url, { requestsPerMinute: 600, tokensPerMinute: 600 }, prefix);
    await call(first, { tokens: 600 });
    // Each of them would keep those behind it waiting for a minute.
    for (const instance of [first, second, first, second, first]) await wait(instance, 600).leave();
    await expect.poll(() => fullInMs(prefix)).toBeLessThanOrEqual(MINUTE);
    const { leave } = wait(first, 600);
    const behind = call(first, { tokens: 1 });
    await expect.poll(() => fullInMs(prefix)).toBeGreaterThan(MINUTE);
    await leave();
    expect(await behind).toBe('said');
    expect(await call(second, { tokens: 1 })).toBe('said');
  });

  it('a large call is not overtaken by small ones of another instance', async () => {
    const prefix = randomUUID();
    const [first, second] = await pair(redis.url, { tokensPerMinute: 60_000 }, prefix);
    await call(first, { tokens: 60_000 });
    const order: string[] = [];
    const large = call(first, { tokens: 2000 }).then(() => order.push('large'));
    await expect.poll(() => fullInMs(prefix)).toBeGreaterThan(MINUTE);
    const small = [1, 2, 3].map(() => call(second, { tokens: 500 }).then(() => order.push('small')));
    await Promise.all([large, ...small]);
    expect(order).toEqual(['large', 'small', 'small', 'small']);
  });

  it('without Redis each goes by its own limit and says so; when it is back, all share again', async () => {
    const own = await start();
    onTestFinished(own.stop);
    const [first, second] = await pair(own.url, { requestsPerMinute: 2 });
    await call(first);
    await call(second);
    await own.kill();
    // Each knows what it has called itself.
    await call(first);
    await call(second);
    for (const { events } of [first, second]) expect(events).toContain('rate_limit alone');
    await expect(call(first, { deadline: Date.now() + 10_000 })).rejects.toThrow('outlast');

    await own.restart();
    await Promise.all([first, second].map(({ until }) => until('rate_limit shared')));
    const admin = new Redis(own.port);
    onTestFinished(() => admin.disconnect());
    // By their own limits neither could call.
    await admin.flushall();
    const soon = { deadline: Date.now() + 10_000 };
    expect(await Promise.all([call(first, soon), call(second, soon)])).toEqual(['said', 'said']);
    await expect(call(first, soon)).rejects.toThrow('outlast');
    await expect(call(second, soon)).rejects.toThrow('outlast');
  });
});

it('a Redis that hangs holds a call up for a moment, and the next ones not at all', async () => {
  const own = await startRedis({ appendonly: 'no' });
  onTestFinished(own.stop);
  const [first] = await pair(own.url, { requestsPerMinute: 100 });
  await call(first);
  process.kill(own.pid(), 'SIGSTOP');
  await Promise.all(Array.from({ length: 20 }, () => call(first)));
  expect(first.events.filter((event) => event === 'rate_limit alone')).toHaveLength(1);
  process.kill(own.pid(), 'SIGCONT');
  await first.until('rate_limit shared');
});

it('a Redis that takes no writes is tried again now and then', async () => {
  const own = await startRedis({ appendonly: 'no' });
  onTestFinished(own.stop);
  const admin = new Redis(own.port);
  onTestFinished(() => admin.disconnect());
  const [first] = await pair(own.url, { requestsPerMinute: 10_000 });
  await call(first);
  await admin.config('SET', 'maxmemory', '1');
  await call(first);
  await first.until('rate_limit alone');
  await admin.config('SET', 'maxmemory', '0');
  await first.until('rate_limit shared');
  expect(first.events.filter((event) => event.startsWith('rate_limit'))).toHaveLength(2);
});
