import { Redis } from 'ioredis';
import { beforeAll, describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { Conversation, StreamFrame } from '../../src/client/types.ts';
import { SHARED_REDISES, type SharedRedis, SteppedFleet } from '../fixtures/fleet.ts';
import { Follower, follow } from '../fixtures/follower.ts';
import { call } from '../fixtures/http.ts';
import { type ServerProcess, sharedByTests } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS, watchSocket } from '../fixtures/watcher.ts';

/** Agents of a model, by which the calls of a test are told from those of others. */
function steppedBy(model: string) {
  return { agents: Array.from({ length: 2 }, () => ({ provider: 'local', model })) };
}

const isDelta = ({ type }: StreamFrame): boolean => type === 'turn.delta';

function pair([first, second]: ServerProcess[]): [ServerProcess, ServerProcess] {
  if (!first || !second) throw new Error('there are no two other instances');
  return [first, second];
}

/**
 * BullMQ's own stream of what became of its jobs, which keeps the last ones, and the feed, which says for a while that
 * something was removed, for indexes to follow.
 */
function holdsIdsAlone(key: string): boolean {
  return key.endsWith(':events') || key.endsWith(':feed}:entries');
}

/** The keys on any node that have something of a conversation and don't expire. */
async function tracesOf({ nodes }: SharedRedis, wanted: string, skips = holdsIdsAlone): Promise<string[]> {
  const traces = await Promise.all(nodes.map(({ url }) => tracesOn(new Redis(url), wanted, skips)));
  return traces.flat();
}

async function tracesOn(node: Redis, wanted: string, skips: (key: string) => boolean): Promise<string[]> {
  const contentsOf: Record<string, (key: string) => Promise<unknown>> = {
    string: (key) => node.get(key),
    hash: (key) => node.hgetall(key),
    list: (key) => node.lrange(key, 0, -1),
    set: (key) => node.smembers(key),
    zset: (key) => node.zrange(key, '0', '-1'),
    stream: (key) => node.xrange(key, '-', '+'),
  };
  const traces: string[] = [];
  for (const key of await node.keys('*')) {
    if (skips(key) || (await node.pttl(key)) > 0) continue;
    const contents = await contentsOf[await node.type(key)]?.(key);
    if (JSON.stringify([key, contents]).includes(wanted)) traces.push(key);
  }
  node.disconnect();
  return traces;
}

describe.each(SHARED_REDISES)('on $on', ({ startRedis }) => {
  const { whenOver } = sharedByTests();
  let fleet: SteppedFleet;
  beforeAll(async () => {
    fleet = await SteppedFleet.start(3, { EMBEDDED_TOKEN_DELAY_MS: '20' }, startRedis, whenOver);
  });

  it('2, 4.4: a conversation is ended on another instance, in the middle of a call, before all eyes', async () => {
    const { id } = await startTalk(fleet.instances[0]?.url ?? '', steppedBy('to-end'));
    const { call: vendorCall, others } = await fleet.nextCall('to-end');
    const [ending, watched] = pair(others);
    const watcher = await watchSocket(watched.url, id);
    await vendorCall.say('Half a sen');
    await watcher.until(isDelta);

    const before = performance.now();
    const abandoned = vendorCall.abandoned.then(() => performance.now() - before);
    const ended = await createClient({ baseUrl: ending.url }).terminate(id, 'enough');
    expect(ended.status).toBe('terminated');
    console.log(`the vendor's connection was closed ${Math.round(await abandoned)} ms after the request`);
    expect(await watcher.closed).toBe(1000);
    const last = { type: 'conversation.terminated', reason: 'user', detail: 'enough', by: 'user' };
    expect(watcher.frames.at(-1)).toMatchObject(last);
    for (const { url } of fleet.instances) {
      expect(follow(watcher.frames).events).toEqual(await readLog(url, id));
    }
  });

  it('2: a conversation is deleted on another instance, in the middle of a call, without a trace', async () => {
    const request = {
      body: { topic: 'To be forgotten', ...steppedBy('to-forget') },
      headers: { 'idempotency-key': 'once' },
    };
    const { body } = await call(fleet.instances[0]?.url ?? '', '/conversations', request);
    const { id } = body as Conversation;
    const { call: vendorCall, others } = await fleet.nextCall('to-forget');
    const [deleting, watched] = pair(others);
    const watchers = await Promise.all(TRANSPORTS.map(({ watch }) => watch(watched.url, id)));
    await vendorCall.say('Half a sen');
    await Promise.all(watchers.map(({ until }) => until(isDelta)));
    expect(await tracesOf(fleet.redis, id)).not.toEqual([]);

    expect((await call(deleting.url, `/conversations/${id}`, { method: 'DELETE' })).status).toBe(204);
    await vendorCall.abandoned;
    expect(await Promise.all(watchers.map(({ closed }) => closed))).toEqual([1000, 'end']);
    for (const { frames } of watchers) expect(frames.at(-1)?.type).toBe('conversation.terminated');
    for (const { url } of fleet.instances) {
      expect((await call(url, `/conversations/${id}`)).status).toBe(404);
      expect((await call(url, `/conversations/${id}/log`)).status).toBe(404);
      expect((await call(url, `/conversations/${id}/events`)).status).toBe(404);
      expect((await call(url, '/conversations?q=forgotten')).body).toMatchObject({ items: [] });
      expect((await call(url, '/conversations')).text).not.toContain(id);
    }
    // The job goes as its run ends, and the indexes are tidied behind the answer.
    await expect.poll(() => tracesOf(fleet.redis, id)).toEqual([]);
    expect(await tracesOf(fleet.redis, 'To be forgotten', () => false)).toEqual([]);
    expect(
      (await call(watched.url, '/conversations', request)).headers['idempotency-replayed'],
    ).toBeUndefined();
  });

  it('2, 2.6: what is made on one instance is listed on all at once, and one key makes one', async () => {
    const [first, second] = pair(fleet.instances);
    for (const [here, there] of [
      [first, second],
      [second, first],
    ] as const) {
      const { id } = await startTalk(here.url);
      const { items } = await createClient({ baseUrl: there.url }).listConversations();
      expect(items[0]?.id).toBe(id);
    }
    for (let round = 0; round < 20; round++) {
      const request = { body: { topic: `At once ${round}` }, headers: { 'idempotency-key': `key ${round}` } };
      const answers = await Promise.all(
        [first, second, second, first].map(({ url }) => call(url, '/conversations', request)),
      );
      expect(answers.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
      expect(new Set(answers.map(({ body }) => (body as Conversation).id)).size).toBe(1);
      expect(answers.filter(({ headers }) => !headers['idempotency-replayed'])).toHaveLength(1);
    }
    const { items } = await createClient({ baseUrl: first.url }).listConversations({
      limit: 200,
      q: 'At once',
    });
    expect(items).toHaveLength(20);
  });

  it.each(TRANSPORTS)(
    '4.1, 4.2: by $name, another instance shows tokens as they are said, and a third goes on inside the turn',
    async ({ name, watch, ended }) => {
      const { id } = await startTalk(fleet.instances[0]?.url ?? '', { ...steppedBy(name), maxTurns: 1 });
      const { call: vendorCall, others } = await fleet.nextCall(name);
      const [watched, third] = pair(others);
      const follower = new Follower();
      const onFrame = (frame: StreamFrame): void => follower.take(frame);
      const watcher = await watch(watched.url, id, { onFrame });
      const heard = (word: string) => (frame: StreamFrame) =>
        frame.type === 'turn.delta' && frame.text.includes(word);
      // Each arrives while the vendor waits with the next one: held back, it would never come.
      for (const word of ['One ', 'two ', 'three ']) {
        await vendorCall.say(word);
        await watcher.until(heard(word.trim()));
      }
      watcher.cut();
      await watcher.closed;
      await vendorCall.say('four ');
      follower.connected();
      const again = await watch(third.url, id, { after: follower.cursor, onFrame });
      for (const word of ['four', 'five']) {
        if (word === 'five') await vendorCall.say('five.');
        await again.until(heard(word));
      }
      vendorCall.finish();
      expect(await again.closed).toBe(ended);
      expect(again.frames.map(({ type }) => type)).not.toContain('turn.started');
      expect([...follower.texts.values()]).toEqual(['One two three four five.']);
      expect(follower.events).toEqual(await readLog(watched.url, id));
    },
  );
});

it('6: two instances with two places each run four of ten conversations, and all get their turn', async () => {
  const fleet = await SteppedFleet.start(2, { MAX_ACTIVE_CONVERSATIONS: '2' });
  const [first, second] = pair(fleet.instances);
  const talks = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      startTalk((index % 2 ? first : second).url, { ...steppedBy('stepped'), maxTurns: 2 }),
    ),
  );
  const calls = await Promise.all(Array.from({ length: 4 }, () => fleet.nextCall()));
  const client = createClient({ baseUrl: second.url });
  const statuses = async (): Promise<string[]> => {
    const { items } = await client.listConversations();
    return items.map(({ status }) => status).sort();
  };
  const expected = [...Array(6).fill('queued'), ...Array(4).fill('running')];
  await expect.poll(statuses).toEqual(expected);
  expect(calls.filter(({ by }) => by === first)).toHaveLength(2);
  for (let answered = 0; answered < 20; answered++) {
    const { call: vendorCall } = calls.shift() ?? (await fleet.nextCall());
    await vendorCall.say(`Answer ${answered}.`);
    vendorCall.finish();
  }
  for (const { id } of talks) {
    const watcher = await watchSocket(first.url, id);
    expect(await watcher.closed).toBe(1000);
    expect(turnsOf(follow(watcher.frames).events)).toEqual([0, 1, 2]);
  }
  expect(await statuses()).toEqual(Array(10).fill('terminated'));
});
