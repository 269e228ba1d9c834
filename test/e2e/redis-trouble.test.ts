import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ConversationEvent, StreamFrame } from '../../src/client/types.ts';
import { redisOfTest, startFleet } from '../fixtures/fleet.ts';
import { Follower } from '../fixtures/follower.ts';
import { call } from '../fixtures/http.ts';
import { type RedisServer, startSentinel } from '../fixtures/redis.ts';
import { watchReturning } from '../fixtures/returning.ts';
import { failToStart, type ServerProcess } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { Refused, saysRewritten, TRANSPORTS, type Watcher, watchSocket } from '../fixtures/watcher.ts';

const CONVERSATIONS = 20;
const TURNS = 8;
/** The server's patience with Redis is 2 s; an answer takes a second call of that at most. */
const QUICK_MS = 10_000;

function isTurn(turn: number): (frame: StreamFrame) => boolean {
  return (frame) => frame.type === 'message' && frame.message.turn >= turn;
}

/** What an instance may write on standard error, and how it may end: not at all. */
function expectWell(instances: readonly ServerProcess[]): void {
  for (const { process, errors } of instances) {
    expect(errors()).toBe('');
    expect(process.exitCode).toBeNull();
    expect(process.signalCode).toBeNull();
  }
}

/** All that needs Redis is refused quickly, and the rest goes on. */
async function expectUnavailable({ url }: ServerProcess, id: string): Promise<void> {
  const refused = [
    ['/conversations', {}],
    ['/conversations', { body: { topic: 'Now?' } }],
    ['/conversations', { body: { topic: 'Now?' }, headers: { 'idempotency-key': 'now' } }],
    [`/conversations/${id}`, {}],
    [`/conversations/${id}/log`, {}],
    [`/conversations/${id}/messages?q=a`, {}],
    [`/conversations/${id}/events`, {}],
    [`/conversations/${id}/terminate`, { method: 'POST' }],
    [`/conversations/${id}`, { method: 'DELETE' }],
  ] as const;
  const asked = refused.map(async ([path, request]) => {
    const before = performance.now();
    const { status, headers, body } = await call(url, path, request);
    expect({ path, status }).toEqual({ path, status: 503 });
    expect(body).toMatchObject({ code: 'overloaded', status: 503 });
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(Number(headers['retry-after'])).toBeGreaterThan(0);
    expect(performance.now() - before).toBeLessThan(QUICK_MS);
    return performance.now() - before;
  });
  const slowest = Math.max(...(await Promise.all(asked)));
  console.log(
    `without Redis the slowest of ${refused.length} requests was refused in ${Math.round(slowest)} ms`,
  );
  const ready = await call(url, '/readyz');
  expect(ready.status).toBe(503);
  expect(ready.body).toMatchObject({
    status: 'unavailable',
    checks: { storage: expect.stringMatching(/Redis/) as string, server: 'ok' },
  });
  for (const path of ['/livez', '/providers', '/metrics']) expect((await call(url, path)).status).toBe(200);
}

it.each([
  [
    'refuses its password',
    ({ port }: RedisServer) => `redis://:not-the-password@127.0.0.1:${port}`,
    /WRONGPASS/,
  ],
  ['wants a password', ({ url }: RedisServer) => url, /NOAUTH/],
  ['is not there', () => 'redis://127.0.0.1:1', /ECONNREFUSED/],
])('6: a Redis that %s stops the start, with one line and without a password', async (_what, urlOf, why) => {
  const redis = await redisOfTest();
  const client = new Redis(redis.url);
  onTestFinished(() => client.disconnect());
  await client.config('SET', 'requirepass', 'right');
  const { code, output, errors } = await failToStart({ REDIS_URL: urlOf(redis) });
  expect(errors).toMatch(/^REDIS_URL: [^\n]*\n$/);
  expect(errors).toMatch(why);
  expect(code).toBe(1);
  expect(output + errors).not.toContain('not-the-password');
});

it('2, 3.2: Redis is killed and comes back: nothing acknowledged is lost, and all go on', async () => {
  const redis = await redisOfTest();
  const instances = await startFleet(redis.url, 2, () => ({ EMBEDDED_TOKEN_DELAY_MS: '40' }));
  const [first, second] = instances as [ServerProcess, ServerProcess];
  const created = new Set<string>();
  const talks = await Promise.all(
    Array.from({ length: CONVERSATIONS }, (_, index) =>
      startTalk(instances[index % 2]?.url ?? '', { topic: `Is the answer ${index}?`, maxTurns: TURNS }),
    ),
  );
  for (const { id } of talks) created.add(id);
  const watching = talks.map(({ id }, index) =>
    watchReturning(instances[(index + 1) % 2]?.url ?? '', id, TRANSPORTS[index % 2]),
  );
  const ends = Promise.all(watching);
  ends.catch(() => {});
  const witness = await watchSocket(first.url, talks[0]?.id ?? '');
  await witness.until(isTurn(2));
  // Creations go on until Redis is gone: each is acknowledged, or it isn't.
  const gone = new AbortController();
  const creating = (async (): Promise<void> => {
    while (!gone.signal.aborted) {
      const answer = await call(second.url, '/conversations', { body: { topic: 'More', maxTurns: 1 } });
      expect([201, 503]).toContain(answer.status);
      if (answer.status === 201) created.add((answer.body as { id: string }).id);
    }
  })();
  await witness.until(isTurn(3));
  await redis.kill();
  gone.abort();
  await creating;

  const id = talks[1]?.id ?? '';
  await Promise.all(instances.map((instance) => expectUnavailable(instance, id)));
  expectWell(instances);

  await redis.restart();
  const watched = await ends;
  for (const { id: each, follower } of watched) {
    const log = await readLog(first.url, each);
    expect(follower.events).toEqual(log);
    expectWhole(log);
  }
  for (const each of created) {
    expect((await createClient({ baseUrl: first.url }).getConversation(each)).id).toBe(each);
    await watchReturning(second.url, each);
  }
  for (const { url } of instances)
    await expect.poll(() => call(url, '/readyz')).toMatchObject({ status: 200 });
  expectWell(instances);
}, 120_000);

function expectWhole(log: readonly ConversationEvent[]): void {
  expect(log.map(({ seq }) => seq)).toEqual(log.map((_, index) => index + 1));
  expect(turnsOf(log)).toEqual(Array.from({ length: TURNS + 1 }, (_, turn) => turn));
  expect(log.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'max_turns' });
}

/** Waits until all conversations have ended, and finds their logs whole. */
async function expectAllToEnd(url: string, talks: readonly { id: string }[]): Promise<void> {
  const client = createClient({ baseUrl: url });
  for (const { id } of talks) {
    await expect
      .poll(() => client.getConversation(id), { interval: 200 })
      .toMatchObject({ status: 'terminated' });
    expectWhole(await readLog(url, id));
  }
}

/** With `everysec` what was written in the last second may not have come to the disk. */
const UNSYNCED_MS = 1000;
/**
 * While a sync takes long, Redis holds back what it would write, up to 2 s:
 * https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/ ("Latency due to AOF")
 */
const HELD_BACK_MS = 2000;
const SAMPLE_MS = 10;

/** Notes again and again how much a server has written to its file, to know later what it had a second before. */
function recordWritten({ written }: RedisServer): { writtenAt: (time: number) => number } {
  const samples: { time: number; bytes: number }[] = [];
  const timer = setInterval(() => samples.push({ time: performance.now(), bytes: written() }), SAMPLE_MS);
  return {
    writtenAt(time) {
      clearInterval(timer);
      return samples.findLast((sample) => sample.time <= time)?.bytes ?? 0;
    },
  };
}

/** An event as it came to a client, and when. */
interface Acknowledged {
  event: ConversationEvent;
  cursor: string;
  at: number;
}

/**
 * Watches a conversation to its end. Where the stream is cut, because events were lost that it had told or for any
 * other reason, it begins anew. Gives what the last stream told, and all that any ever did.
 */
async function watchAnew(url: string, id: string) {
  const acknowledged: Acknowledged[] = [];
  const codes: unknown[] = [];
  for (;;) {
    const follower = new Follower({ lossy: true });
    const watcher = await watchPatiently(url, id, (frame) => {
      follower.take(frame);
      const event = follower.events.at(-1);
      if ('seq' in frame && event) acknowledged.push({ event, cursor: frame.cursor, at: performance.now() });
    });
    codes.push(await watcher.closed);
    if (follower.ended) return { id, events: follower.events, acknowledged, codes };
  }
}

/** A stream, as soon as Redis is there to bring one. */
async function watchPatiently(
  url: string,
  id: string,
  onFrame: (frame: StreamFrame) => void,
): Promise<Watcher> {
  for (;;) {
    try {
      return await watchSocket(url, id, { onFrame });
    } catch (error) {
      if (!(error instanceof Refused && error.status === 503)) throw error;
      await delay(100);
    }
  }
}

/*
 * SIGKILL alone would lose nothing, as what a process has written is in the system's cache. A power cut is made of it:
 * the file is cut to the length that it had one second before the kill, which is all that `everysec` promises.
 */
it('3, 4: Redis loses its last second under `everysec`: nothing older is gone, no log has a hole, and all go on', async () => {
  const redis = await redisOfTest({ appendfsync: 'everysec' });
  const instances = await startFleet(redis.url, 2, () => ({ EMBEDDED_TOKEN_DELAY_MS: '40' }));
  const [first, second] = instances as [ServerProcess, ServerProcess];
  const record = recordWritten(redis);
  const talks = await Promise.all(
    Array.from({ length: CONVERSATIONS }, (_, index) =>
      startTalk(instances[index % 2]?.url ?? '', { topic: `Is the answer ${index}?`, maxTurns: TURNS }),
    ),
  );
  const watching = Promise.all(
    talks.map(({ id }, index) => watchAnew(instances[(index >> 1) % 2]?.url ?? '', id)),
  );
  watching.catch(() => {});
  const witness = await watchSocket(first.url, talks[0]?.id ?? '');
  await witness.until(isTurn(4));
  const killedAt = performance.now();
  await redis.kill(record.writtenAt(killedAt - UNSYNCED_MS));
  await redis.restart();

  const lost: number[] = [];
  const gone: { id: string; cursor: string }[] = [];
  const cut: unknown[] = [];
  for (const { id, events, acknowledged, codes } of await watching) {
    const log = await readLog(second.url, id);
    expect(events).toEqual(log);
    expectWhole(log);
    for (const { event, cursor, at } of acknowledged.filter(({ at }) => at < killedAt)) {
      if (isDeepStrictEqual(log[event.seq - 1], event)) continue;
      lost.push(killedAt - at);
      gone.push({ id, cursor });
    }
    expect(codes.pop()).toBe(1000);
    cut.push(...codes);
  }
  const oldest = Math.max(...lost);
  console.log(
    `${lost.length} acknowledged events were lost, the oldest ${Math.round(oldest)} ms before the kill`,
  );
  expect(lost).not.toEqual([]);
  // A stream that had told what is gone says so.
  expect(cut).toContain(4410);
  // Later, too, whoever comes back with what is gone is told, on any instance and over both transports.
  for (const [index, { id, cursor }] of gone.entries()) {
    const { watch } = TRANSPORTS[index % 2] ?? TRANSPORTS[0];
    const watcher = await watch(instances[(index >> 1) % 2]?.url ?? '', id, { after: cursor });
    expect([cursor, await saysRewritten(watcher)]).toEqual([cursor, true]);
  }
  expect(oldest).toBeLessThan(UNSYNCED_MS + HELD_BACK_MS);
  expectWell(instances);
}, 120_000);

it('3.3: a replica takes the place of Redis: conversations pause, and go on', async () => {
  const master = await redisOfTest();
  const replica = await redisOfTest({ replicaof: `127.0.0.1 ${master.port}` });
  const sentinel = await startSentinel(master, [replica]);
  onTestFinished(() => sentinel.stop());
  const instances = await startFleet(sentinel.url, 2, () => ({ EMBEDDED_TOKEN_DELAY_MS: '40' }));
  const [first, second] = instances as [ServerProcess, ServerProcess];
  const talks = await Promise.all(
    Array.from({ length: CONVERSATIONS }, (_, index) =>
      startTalk(first.url, { topic: `Is the answer ${index}?`, maxTurns: TURNS }),
    ),
  );
  const witness = await watchSocket(second.url, talks[0]?.id ?? '');
  await witness.until(isTurn(2));
  await master.kill();
  expect((await call(first.url, '/readyz')).status).toBe(503);
  await expect.poll(() => call(first.url, '/readyz')).toMatchObject({ status: 200 });
  await expectAllToEnd(second.url, talks);
  expectWell(instances);
}, 120_000);
