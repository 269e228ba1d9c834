import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { ConversationEvent, StreamFrame } from '../../src/client/types.ts';
import { redisOfTest, startFleet } from '../fixtures/fleet.ts';
import { call } from '../fixtures/http.ts';
import { type RedisServer, startSentinel } from '../fixtures/redis.ts';
import { watchReturning } from '../fixtures/returning.ts';
import { failToStart, type ServerProcess } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS, watchSocket } from '../fixtures/watcher.ts';

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
      .poll(() => client.getConversation(id), { timeout: 60_000, interval: 200 })
      .toMatchObject({ status: 'terminated' });
    expectWhole(await readLog(url, id));
  }
}

it('3.3: Redis loses its last moments: no log has a hole, and all go on', async () => {
  const redis = await redisOfTest({ appendfsync: 'everysec' });
  const instances = await startFleet(redis.url, 2, () => ({ EMBEDDED_TOKEN_DELAY_MS: '40' }));
  const [first] = instances as [ServerProcess, ServerProcess];
  const talks = await Promise.all(
    Array.from({ length: CONVERSATIONS }, (_, index) =>
      startTalk(first.url, { topic: `Is the answer ${index}?`, maxTurns: TURNS }),
    ),
  );
  const witness = await watchSocket(first.url, talks[0]?.id ?? '');
  await witness.until(isTurn(2));
  const kept = await Promise.all(talks.map(({ id }) => readLog(first.url, id)));
  const onDisk = redis.written();
  await witness.until(isTurn(4));
  await redis.kill(onDisk);
  await redis.restart();

  await expectAllToEnd(first.url, talks);
  for (const [index, { id }] of talks.entries()) {
    const log = await readLog(first.url, id);
    expect(log.slice(0, kept[index]?.length)).toEqual(kept[index]);
  }
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
