import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Conversation } from '../../src/client/types.ts';
import { startBalancer } from '../fixtures/balancer.ts';
import { redisOfTest, startFleet } from '../fixtures/fleet.ts';
import { percentile, type Step, spread, stepsOf } from '../fixtures/gaps.ts';
import { type Answer, type Call, call } from '../fixtures/http.ts';
import { watchReturning } from '../fixtures/returning.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS } from '../fixtures/watcher.ts';

const CONVERSATIONS = 30;
/** They last longer than the restarts. */
const TURNS = 30;
/** The pace that the embedded pair has by default: a turn takes 0.7 s, the longest 1.3 s. */
const TOKEN_DELAY_MS = 30;
/** By how much a restart may delay a conversation, in milliseconds. */
const DELAY_MS = 2000;
/** Between two requests of a client, in milliseconds. */
const REQUEST_EVERY_MS = 20;

/** Sends requests of all kinds until it is told to stop; gives those that failed. */
async function load(
  url: string,
  id: string,
  signal: AbortSignal,
): Promise<{ sent: number; failed: string[] }> {
  const failed: string[] = [];
  let sent = 0;
  const ask = async (path: string, expected: number, request: Call = {}): Promise<Answer | undefined> => {
    sent++;
    const label = `${request.method ?? 'GET'} ${path}`;
    try {
      const answer = await call(url, path, request);
      if (answer.status !== expected) failed.push(`${label}: ${answer.status} ${answer.text}`);
      return answer;
    } catch (error) {
      failed.push(`${label}: ${String(error)}`);
      return undefined;
    } finally {
      await delay(REQUEST_EVERY_MS);
    }
  };
  for (let count = 0; !signal.aborted; count++) {
    const made = await ask('/conversations', 201, { body: { topic: `Short ${count}`, maxTurns: 1 } });
    const { id: short } = (made?.body ?? {}) as Conversation;
    await ask('/conversations?limit=5', 200);
    await ask(`/conversations/${id}`, 200);
    await ask(`/conversations/${id}/messages`, 200);
    await ask(`/conversations/${id}/log?limit=200`, 200);
    await ask('/providers', 200);
    if (short === undefined) continue;
    await ask(`/conversations/${short}/terminate`, 200, { method: 'POST' });
    await ask(`/conversations/${short}`, 204, { method: 'DELETE' });
    await ask(`/conversations/${short}`, 404);
  }
  return { sent, failed };
}

it('6: a rolling restart fails no request, and delays no conversation', async () => {
  const redis = await redisOfTest();
  const environment = { REDIS_URL: redis.url, EMBEDDED_TOKEN_DELAY_MS: String(TOKEN_DELAY_MS) };
  const instances = await startFleet(redis.url, 3, () => environment);
  const ports = instances.map(({ port }) => port) as [number, number, number];
  const { url } = await startBalancer(ports);
  const talks = await Promise.all(
    Array.from({ length: CONVERSATIONS }, (_, index) =>
      startTalk(url, { topic: `Is the answer ${index}?`, maxTurns: TURNS }),
    ),
  );
  const watching = talks.map(({ id }, index) => watchReturning(url, id, TRANSPORTS[index % 2]));
  const done = new AbortController();
  const loads = talks.slice(0, 4).map(({ id }) => load(url, id, done.signal));

  const restarts: number[] = [];
  const ended: ServerProcess[] = [];
  for (const [index, instance] of instances.entries()) {
    restarts.push(Date.now());
    expect(await instance.stop()).toBe(0);
    ended.push(instance);
    const again = await startServer({ ...environment, PORT: String(ports[index]) });
    // nginx has to find out that it is back before the next one goes.
    await again.logged(({ event, status }) => event === 'request.completed' && status === 200);
  }
  const lastRestart = Date.now();
  done.abort();
  const requests = await Promise.all(loads);
  expect(requests.flatMap(({ failed }) => failed)).toEqual([]);
  for (const { log, errors } of ended) {
    expect(log.at(-1)).toMatchObject({ event: 'server.stopped', outcome: 'all quiet' });
    expect(errors()).toBe('');
  }

  const watched = await Promise.all(watching);
  const steps: Step[] = [];
  for (const { id, follower } of watched) {
    const log = await readLog(url, id);
    expect(follower.events).toEqual(log);
    expect(turnsOf(log)).toEqual(Array.from({ length: TURNS + 1 }, (_, turn) => turn));
    steps.push(...stepsOf(log));
  }
  const gap = ({ from, to }: Step): number => to - from;
  const [moved, usual] = [true, false].map((isMoved) =>
    steps.filter(({ before, after }) => (before !== after) === isMoved),
  ) as [Step[], Step[]];
  // How long the turn itself takes is a matter of the model, and here of how busy the machine is.
  const median = percentile(
    usual.map(({ wait }) => wait),
    0.5,
  );
  const delays = moved.map(({ wait }) => wait - median);
  const sent = requests.reduce((sum, each) => sum + each.sent, 0);
  console.log(
    [
      `${sent} requests in ${((lastRestart - (restarts[0] ?? 0)) / 1000).toFixed(1)} s, none failed`,
      `from turn to turn over a restart: ${spread(moved.map(gap))}`,
      `from turn to turn otherwise: ${spread(usual.map(gap))}`,
      `until the attempt at the next turn begins, over a restart: ${spread(moved.map(({ wait }) => wait))}`,
      `until the attempt at the next turn begins, otherwise: ${spread(usual.map(({ wait }) => wait))}`,
    ].join('\n'),
  );
  expect(moved.length).toBeGreaterThan(0);
  expect(Math.max(...delays)).toBeLessThan(DELAY_MS);
});
