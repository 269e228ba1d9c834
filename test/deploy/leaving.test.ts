import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { Conversation } from '../../src/client/types.ts';
import { redisOfTest } from '../fixtures/fleet.ts';
import { type Call, call } from '../fixtures/http.ts';
import { bearer, keyOf } from '../fixtures/keys.ts';
import { watchReturning } from '../fixtures/returning.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS } from '../fixtures/watcher.ts';
import { type Manifest, render } from './helm.ts';
import { Ingress } from './ingress.ts';
import { secretOf } from './mounts.ts';
import { Pod } from './pod.ts';
import { podsOf, workloadOf } from './pods.ts';
import { Service } from './service.ts';

const CONVERSATIONS = 12;
const REQUEST_EVERY_MS = 30;
const HOST = 'aic.example.org';

/** How somebody comes in. */
interface Way {
  url: string;
  headers: Record<string, string>;
}

/** Sends requests of all kinds, each over a connection of its own, until it is told to stop; gives those that failed. */
async function load(
  { url, headers }: Way,
  id: string,
  signal: AbortSignal,
): Promise<{ sent: number; failed: string[] }> {
  const failed: string[] = [];
  let sent = 0;
  const ask = async (path: string, expected: number, request: Call = {}): Promise<unknown> => {
    sent++;
    try {
      const { status, text, body } = await call(url, path, {
        ...request,
        headers: { ...headers, connection: 'close' },
      });
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
  const values = `redis.url=${redis.url},replicaCount=2,secretsAs=files,secrets.WEBHOOKS_SECRET_KEY=hush`;
  const manifests = await render(
    '--set',
    `${values},ingress.enabled=true,ingress.className=nginx,ingress.hosts[0].host=${HOST}`,
  );
  const { spec } = workloadOf(manifests);
  // One more than there are, and none less: the next is ready before one leaves.
  expect(spec).toMatchObject({
    replicas: 2,
    strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  });
  const [service, ingress] = await Promise.all([Service.start(), Ingress.start(manifests)]);
  const enter = async (): Promise<Pod> => {
    const pod = await Pod.start(manifests);
    await Promise.all([service, ingress].map((entrance) => entrance.add(pod.server.port)));
    return pod;
  };
  expect(await helmTest(manifests, service.url)).toBe(1);
  const before = await Promise.all([enter(), enter()]);
  expect(await helmTest(manifests, service.url)).toBe(0);

  const guest = keyOf('acme', 'guest');
  await keysAsTheChartSays(manifests, before, guest);
  const ways: Way[] = [
    { url: service.url, headers: guest.headers },
    { url: ingress.url, headers: { ...guest.headers, host: HOST } },
  ];
  const talks = await Promise.all(
    Array.from({ length: CONVERSATIONS }, (_, index) =>
      startTalk(service.url, { topic: `Is the answer ${index}?`, maxTurns: 10_000 }, guest.key),
    ),
  );
  const watching = talks.flatMap(({ id }, index) => {
    const { url, headers } = ways[index % 2] as Way;
    return TRANSPORTS.map((transport) => watchReturning(url, id, transport, headers));
  });
  const done = new AbortController();
  const loads = talks.slice(0, 4).map(({ id }, index) => load(ways[index % 2] as Way, id, done.signal));
  const after: Pod[] = [];
  for (const pod of before) {
    after.push(await enter());
    const { code, killed, behindSignalMs, tookMs } = await pod.leave(service, ingress);
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

  const client = createClient({ baseUrl: service.url, apiKey: guest.key });
  await Promise.all(talks.map(({ id }) => client.terminate(id)));
  for (const { id, follower, connections } of await Promise.all(watching)) {
    const log = await readLog(service.url, id, guest.key);
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

/**
 * The keys and the secrets of a rendering, in pods that run: the two that the chart made, one that is added to its Secret
 * and comes to the pods without a restart, and a secret of which the server was told in a file alone.
 */
async function keysAsTheChartSays(
  manifests: readonly Manifest[],
  pods: readonly Pod[],
  added: ReturnType<typeof keyOf>,
): Promise<void> {
  const secret = secretOf(manifests, 'aic-ai-conversation-platform-api-keys');
  const [admin, metrics] = [bearer(secret['admin-key'] ?? ''), bearer(secret['metrics-key'] ?? '')];
  const ask = async (pod: Pod, path: string, headers: Record<string, string>) =>
    (await call(pod.server.url, path, { headers })).status;
  for (const pod of pods) {
    expect(await ask(pod, '/whoami', {})).toBe(401);
    expect(await ask(pod, '/whoami', admin)).toBe(200);
    expect(await ask(pod, '/metrics', metrics)).toBe(200);
    expect(await ask(pod, '/conversations', metrics)).toBe(403);
    expect(await ask(pod, '/whoami', added.headers)).toBe(401);
    const webhook = { url: 'https://93.184.216.34/', events: ['*'] };
    expect((await call(pod.server.url, '/webhooks', { headers: admin, body: webhook })).status).toBe(201);
  }
  const entries = JSON.parse(secret['api-keys.json'] ?? '') as object[];
  secret['api-keys.json'] = JSON.stringify([...entries, added.entry]);
  for (const pod of pods) {
    pod.mounts.update();
    await pod.server.logged(({ event }) => event === 'keys.changed');
    expect(await ask(pod, '/whoami', added.headers)).toBe(200);
  }
}

it('6: one pod with a volume ends in its grace, and its successor goes on with what it left there', async () => {
  const manifests = await render('--set', 'replicaCount=1,allowAnonymous=true');
  expect(workloadOf(manifests).kind).toBe('StatefulSet');
  const volume = temporaryFolder();
  const service = await Service.start();
  const first = await Pod.start(manifests, volume);
  await service.add(first.server.port);
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
  await service.add(second.server.port);
  const { follower } = await watching;
  const log = await readLog(service.url, id);
  expect(follower.events).toEqual(log);
  expect(turnsOf(log)).toEqual([0, 1, 2, 3, 4]);
  expect(second.server.log.some(({ event }) => event === 'conversation.resumed')).toBe(true);
});
