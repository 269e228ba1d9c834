import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { Conversation } from '../../src/client/types.ts';
import { redisOfTest } from '../fixtures/fleet.ts';
import { type Call, call } from '../fixtures/http.ts';
import { watchReturning } from '../fixtures/returning.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS } from '../fixtures/watcher.ts';
import { type Manifest, render } from './helm.ts';
import { Pod } from './pod.ts';
import { podsOf, workloadOf } from './pods.ts';
import { Service } from './service.ts';

const CONVERSATIONS = 12;
const REQUEST_EVERY_MS = 30;

/** Sends requests of all kinds, each over a connection of its own, until it is told to stop; gives those that failed. */
async function load(
  url: string,
  id: string,
  signal: AbortSignal,
): Promise<{ sent: number; failed: string[] }> {
  const failed: string[] = [];
  let sent = 0;
  const ask = async (path: string, expected: number, request: Call = {}): Promise<unknown> => {
    sent++;
    try {
      const { status, text, body } = await call(url, path, { ...request, headers: { connection: 'close' } });
      if (status !== expected) failed.push(`${request.method ?? 'GET'} ${path}: ${status} ${text}`);
      return body;
    } catch (error) {
      failed.push(`${request.method ?? 'GET'} ${path}: ${String(error)}`);
      return undefined;
    } finally {
      await delay(REQUEST_EVERY_MS);
    }
  };
  while (!signal.aborted) {
    const made = await ask('/conversations', 201, { body: { topic: 'Short', maxTurns: 1 } });
    await ask(`/conversations/${id}`, 200);
    await ask(`/conversations/${id}/messages`, 200);
    await ask('/conversations?limit=5', 200);
    const { id: short } = (made ?? {}) as Partial<Conversation>;
    if (short !== undefined) await ask(`/conversations/${short}`, 204, { method: 'DELETE' });
  }
  return { sent, failed };
}

/** Runs the pod of `helm test`; its Service is at another address here. */
async function helmTest(manifests: readonly Manifest[], url: string): Promise<number> {
  const [, { containers }] = podsOf(manifests) as [unknown, ReturnType<typeof podsOf>[number]];
  const [program = '', ...given] = [...(containers[0].command ?? []), ...(containers[0].args ?? [])];
  expect(program).toBe('node');
  const child = spawn(process.execPath, [...given.slice(0, -1), `${url}/readyz`], { stdio: 'ignore' });
  return ((await once(child, 'exit')) as [number])[0];
}

it('6: an upgrade, pod after pod as the chart has it, fails no request and loses no turn', async () => {
  const redis = await redisOfTest();
  const manifests = await render('--set', `redis.url=${redis.url},allowAnonymous=true,replicaCount=2`);
  const { spec } = workloadOf(manifests);
  // One more than there are, and none less: the next is ready before one leaves.
  expect(spec).toMatchObject({
    replicas: 2,
    strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  });
  const service = await Service.start();
  const enter = async (): Promise<Pod> => {
    const pod = await Pod.start(manifests);
    service.add(pod.server.port);
    return pod;
  };
  expect(await helmTest(manifests, service.url)).toBe(1);
  const before = await Promise.all([enter(), enter()]);
  expect(await helmTest(manifests, service.url)).toBe(0);

  const talks = await Promise.all(
    Array.from({ length: CONVERSATIONS }, (_, index) =>
      startTalk(service.url, { topic: `Is the answer ${index}?`, maxTurns: 10_000 }),
    ),
  );
  const watching = talks.map(({ id }, index) => watchReturning(service.url, id, TRANSPORTS[index % 2]));
  const done = new AbortController();
  const loads = talks.slice(0, 3).map(({ id }) => load(service.url, id, done.signal));
  const after: Pod[] = [];
  for (const pod of before) {
    after.push(await enter());
    const { code, killed, behindSignalMs, tookMs } = await pod.leave(service);
    console.log(
      `a pod left in ${(tookMs / 1000).toFixed(1)} s, ${(behindSignalMs / 1000).toFixed(1)} s behind the signal`,
    );
    expect({ code, killed }).toEqual({ code: 0, killed: false });
    expect(pod.server.log.at(-1)).toMatchObject({ event: 'server.stopped', outcome: 'all quiet' });
  }
  done.abort();
  const requests = await Promise.all(loads);
  expect(requests.flatMap(({ failed }) => failed)).toEqual([]);
  expect(Math.min(...requests.map(({ sent }) => sent))).toBeGreaterThan(50);

  const client = createClient({ baseUrl: service.url });
  await Promise.all(talks.map(({ id }) => client.terminate(id)));
  for (const { id, follower, connections } of await Promise.all(watching)) {
    const log = await readLog(service.url, id);
    expect(follower.events).toEqual(log);
    const turns = turnsOf(log);
    expect(turns).toEqual(turns.map((_, turn) => turn));
    // At the embedded pair's own pace, where a turn takes 0.7 s, it has gone on through all of it.
    expect(turns.length).toBeGreaterThan(10);
    expect(log.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'user' });
    expect(connections).toBeGreaterThan(1);
  }
  // Nothing would have been restarted, and nothing taken out of the Service, for its probes.
  for (const pod of [...before, ...after])
    expect(pod.failures).toEqual({ livenessProbe: 0, readinessProbe: 0 });
});

it('6: one pod with a volume ends in its grace, and its successor goes on with what it left there', async () => {
  const manifests = await render('--set', 'replicaCount=1,allowAnonymous=true');
  expect(workloadOf(manifests).kind).toBe('StatefulSet');
  const volume = temporaryFolder();
  const service = await Service.start();
  const first = await Pod.start(manifests, volume);
  service.add(first.server.port);
  // 8.1: it is called by the names of its Service, and by no other.
  const named = (host: string) => call(service.url, '/conversations', { headers: { host } });
  expect((await named('aic-ai-conversation-platform.talks.svc:80')).status).toBe(200);
  expect((await named('elsewhere.example.org')).status).toBe(421);
  const { id } = await startTalk(service.url, { maxTurns: 4 });
  const watching = watchReturning(service.url, id);
  await first.server.logged(({ event, turn }) => event === 'turn.taken' && turn === 1);
  const { code, killed } = await first.leave(service);
  expect({ code, killed }).toEqual({ code: 0, killed: false });

  const second = await Pod.start(manifests, volume);
  service.add(second.server.port);
  const { follower } = await watching;
  const log = await readLog(service.url, id);
  expect(follower.events).toEqual(log);
  expect(turnsOf(log)).toEqual([0, 1, 2, 3, 4]);
  expect(second.server.log.some(({ event }) => event === 'conversation.resumed')).toBe(true);
});
