/**
 * Records what real instances on a real Redis show while conversations come and go and the chart's autoscaler starts and
 * drains them: `node deploy/helm/tools/record-load.ts`, some minutes. All is a tenth: of the numbers, and of the time.
 * The test of autoscaling has Prometheus evaluate the chart's own query over it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { begin, next, type Scaling } from '../../../test/deploy/autoscaler.ts';
import type { Recording, Sample } from '../../../test/deploy/recording.ts';
import { samplesOf } from '../../../test/fixtures/metrics.ts';
import { freePort } from '../../../test/fixtures/ports.ts';

const MAIN = new URL('../../../src/main.ts', import.meta.url).pathname;
const TARGET = new URL('../../../test/deploy/recorded-load.json', import.meta.url);
const TENTH = 10;
const EVERY_S = 15;
const MINUTES = 50;
/** As the chart has them by default, divided by ten. */
const PLACES = 2000 / TENTH;
const SCALING: Scaling = {
  minReplicas: 2,
  maxReplicas: 20,
  targets: [1500 / TENTH],
  behavior: {
    scaleUp: {
      stabilizationWindowSeconds: 0,
      policies: [
        { type: 'Percent', value: 100, periodSeconds: 60 },
        { type: 'Pods', value: 4, periodSeconds: 60 },
      ],
    },
    scaleDown: { stabilizationWindowSeconds: 300, policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }] },
  },
};

/** How many conversations there shall be, by minute: a morning, a rush, a day that wavers, an evening. */
function wanted(minute: number): number {
  const thousand = 1000 / TENTH;
  if (minute < 4) return 1 * thousand;
  if (minute < 9) return (1 + (minute - 4) * 0.9) * thousand;
  if (minute < 12) return 8.5 * thousand;
  if (minute < 25) return (6 + 0.9 * Math.sin(minute * 2)) * thousand;
  return 0.6 * thousand;
}

interface Instance {
  name: string;
  url: string;
  process: ChildProcess;
  isReady: boolean;
}

const folder = mkdtempSync(join(tmpdir(), 'aic-load-'));
const redisPort = await freePort();
const redis = spawn('redis-server', ['--port', String(redisPort), '--save', '', '--dir', folder], {
  stdio: 'ignore',
});
const instances: Instance[] = [];
const leaving: Promise<unknown>[] = [];
let count = 0;

async function start(): Promise<void> {
  const port = await freePort();
  const child = spawn(process.execPath, [MAIN], {
    cwd: mkdtempSync(join(folder, 'pod-')),
    stdio: ['ignore', 'ignore', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      PORT: String(port),
      REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      MAX_ACTIVE_CONVERSATIONS: String(PLACES),
      EMBEDDED_TOKEN_DELAY_MS: '150',
      LOG_LEVEL: 'error',
    },
  });
  const instance = {
    name: `pod-${count++}`,
    url: `http://127.0.0.1:${port}`,
    process: child,
    isReady: false,
  };
  instances.push(instance);
  while (!(await fetch(`${instance.url}/readyz`).catch(() => undefined))?.ok) await delay(100);
  instance.isReady = true;
}

/** The newest first, as a Deployment does. */
function stop(): void {
  const instance = instances.pop();
  if (!instance) return;
  leaving.push(once(instance.process, 'exit'));
  instance.process.kill('SIGTERM');
}

async function ask(instance: Instance): Promise<[string, Sample['pods'][string]] | undefined> {
  const answer = await fetch(`${instance.url}/metrics`).catch(() => undefined);
  if (!answer?.ok) return undefined;
  const samples = samplesOf(await answer.text());
  const waiting = samples.get('ai_queue_jobs{state="waiting"}');
  const active = samples.get('ai_queue_jobs{state="active"}');
  const running = samples.get('ai_active_conversations') ?? 0;
  return waiting === undefined || active === undefined
    ? undefined
    : [instance.name, { waiting, active, running }];
}

async function create(): Promise<void> {
  const ready = instances.filter(({ isReady }) => isReady);
  const { url } = ready[Math.floor(Math.random() * ready.length)] ?? { url: '' };
  await fetch(`${url}/conversations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      topic: 'Is tea better than coffee?',
      maxTurns: 4 + Math.floor(Math.random() * 5),
      termination: { phrases: [], similarity: { threshold: 1, consecutive: 10 } },
    }),
  }).catch(() => undefined);
}

const largest = (pods: Sample['pods'], state: 'waiting' | 'active'): number =>
  Math.max(0, ...Object.values(pods).map((pod) => pod[state]));

const samples: Sample[] = [];
let state = begin(SCALING.minReplicas);
await Promise.all(Array.from({ length: state.replicas }, start));
const began = performance.now();
for (let at = 0; at < MINUTES * 60; at += EVERY_S) {
  const pods = Object.fromEntries(
    (await Promise.all(instances.map(ask))).filter((each) => each !== undefined),
  );
  const alive = largest(pods, 'waiting') + largest(pods, 'active');
  state = next(state, [alive], at, SCALING);
  samples.push({ at, replicas: state.replicas, alive, pods });
  while (instances.length > state.replicas) stop();
  for (let missing = state.replicas - instances.length; missing > 0; missing--) void start();
  console.log(`${at} s: ${alive} conversations, ${largest(pods, 'waiting')} wait, ${state.replicas} pods`);
  const missing = Math.round(wanted(at / 60)) - alive;
  const creating = Promise.all(Array.from({ length: Math.max(0, missing) }, create));
  await Promise.all([
    creating,
    delay(Math.max(0, began + ((at + EVERY_S) * 1000) / TENTH - performance.now())),
  ]);
}
while (instances.length > 0) stop();
await Promise.all(leaving);
redis.kill();
rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
const recording: Recording = {
  about: `Real instances on a real Redis, ${new Date().toISOString().slice(0, 10)}: written by deploy/helm/tools/record-load.ts`,
  every: EVERY_S,
  samples,
};
writeFileSync(TARGET, `${JSON.stringify(recording)}\n`);
