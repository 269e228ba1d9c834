import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { startBalancer } from '../fixtures/balancer.ts';
import { redisOfTest, startFleet } from '../fixtures/fleet.ts';
import { percentile, spread, stepsOf } from '../fixtures/gaps.ts';
import { watchReturning } from '../fixtures/returning.ts';
import { startServer } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS } from '../fixtures/watcher.ts';

/** How long instances are killed. */
const SECONDS = Number(process.env['AIC_SOAK_SECONDS'] ?? 30);
/** From one kill to the next, in milliseconds; an instance takes some of that to start again. */
const KILL_EVERY_MS = 8000;
const CONVERSATIONS = 300;
const WATCHERS = 36;
/** Who read the logs at the end. */
const READERS = 10;
/** A conversation goes on for longer than the kills last. */
const TOKEN_DELAY_MS = 100;
const SECONDS_PER_TURN = 3;
const TURNS = Math.ceil(SECONDS / SECONDS_PER_TURN);

it(`3.2, 3.3, 4.1: ${CONVERSATIONS} conversations outlive kill -9 of their instances for ${SECONDS} s`, {
  timeout: (SECONDS * 3 + 600) * 1000,
}, async () => {
  const redis = await redisOfTest();
  const environment = { REDIS_URL: redis.url, EMBEDDED_TOKEN_DELAY_MS: String(TOKEN_DELAY_MS) };
  const instances = await startFleet(redis.url, 3, () => environment);
  const ports = instances.map(({ port }) => port) as [number, number, number];
  const { url } = await startBalancer(ports);
  const ids = await Promise.all(
    Array.from({ length: CONVERSATIONS }, async (_, index) => {
      const { id } = await startTalk(url, { topic: `Is the answer ${index}?`, maxTurns: TURNS });
      return id;
    }),
  );
  const watching = Promise.all(
    ids.slice(0, WATCHERS).map((id, index) => watchReturning(url, id, TRANSPORTS[index % 2])),
  );
  const failed = new AbortController();
  watching.catch(() => failed.abort());

  const kills: number[] = [];
  const until = performance.now() + SECONDS * 1000;
  for (let victim = 0; performance.now() < until && !failed.signal.aborted; victim = (victim + 1) % 3) {
    const next = performance.now() + KILL_EVERY_MS;
    kills.push(Date.now());
    await instances[victim]?.stop('SIGKILL');
    instances[victim] = await startServer({ ...environment, PORT: String(ports[victim]) });
    await delay(Math.max(0, next - performance.now()));
  }
  const watched = await watching;

  const logs = new Map<string, Awaited<ReturnType<typeof readLog>>>();
  const readers = Array.from({ length: READERS }, async (_, reader) => {
    for (const id of ids.filter((__, index) => index % READERS === reader)) {
      await watchReturning(url, id);
      const log = await readLog(url, id);
      expect(log.map(({ seq }) => seq)).toEqual(Array.from({ length: TURNS + 3 }, (__, index) => index + 1));
      expect(turnsOf(log)).toEqual(Array.from({ length: TURNS + 1 }, (__, turn) => turn));
      expect(log.at(-1)).toMatchObject({
        type: 'conversation.terminated',
        reason: 'max_turns',
        by: 'system',
      });
      logs.set(id, log);
    }
  });
  await Promise.all(readers);
  for (const { id, follower } of watched) expect(follower.events).toEqual(logs.get(id));

  const steps = [...logs.values()].flatMap(stepsOf);
  const lastOf = new Map<string, number>();
  for (const { before, from } of steps) lastOf.set(before, Math.max(from, lastOf.get(before) ?? 0));
  const moved = steps.filter(({ before, after }) => before !== after);
  const recoveries = moved.flatMap(({ before, to }) => {
    const killed = kills.find((at) => at >= (lastOf.get(before) ?? 0));
    return killed === undefined ? [] : [{ killed, took: to - killed }];
  });
  // Whoever takes over may be killed before its first turn there is made.
  const byOne = recoveries.filter(
    ({ killed, took }) => !kills.some((at) => at > killed && at < killed + took),
  );
  const times = recoveries.map(({ took }) => took);
  const usual = steps.filter(({ before, after }) => before === after).map(({ from, to }) => to - from);
  const connections = watched.reduce((sum, each) => sum + each.connections, 0);
  console.log(
    [
      `${kills.length} kills, ${moved.length} conversations moved, ${connections} connections of ${WATCHERS} watchers`,
      `from the kill to the next turn: ${spread(times)}`,
      `from the kill to the next turn, with no other kill between: ${spread(byOne.map(({ took }) => took))}`,
      `from turn to turn otherwise: ${spread(usual)}`,
    ].join('\n'),
  );
  expect(moved.length).toBeGreaterThan(CONVERSATIONS / 10);
  expect(connections).toBeGreaterThan(WATCHERS);
  // Without load within 10 s; on a machine where all have to wait for their turn, so has that.
  expect(percentile(times, 0.95)).toBeLessThan(60_000);
});
