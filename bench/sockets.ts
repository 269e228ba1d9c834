/**
 * How a server answers while others only take: `npm run bench:sockets -- 1000` (requests; by default 500). 100
 * conversations are under way; then 2,000 connections that say nothing, 200 that write a byte four times a second and 200
 * that never read come to it. Prints how long requests take before and meanwhile, half of them reading, half making
 * conversations, and what memory the process has.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ask, createConversations, talk } from './harness/http.ts';
import { startServer } from './harness/processes.ts';
import { startRudeClients } from './harness/rude-clients.ts';
import { percentile } from './harness/statistics.ts';

const CONVERSATIONS = 100;
const RUDE = { idle: 2000, slowWriting: 200, neverReading: 200 };

const requests = Number(process.argv[2] ?? 500);
await using cleanup = new AsyncDisposableStack();
const folder = mkdtempSync(join(tmpdir(), 'aic-sockets-'));
cleanup.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
const { url, pid } = await startServer(cleanup, folder, { EMBEDDED_TOKEN_DELAY_MS: '20' });
const [id = ''] = await createConversations(url, CONVERSATIONS, talk(10_000));
await report('alone');
const rude = await startRudeClients(Number(new URL(url).port), id, RUDE);
await report('among rude clients');
console.log(`${rude.open()} of them are connected, ${rude.cut()} times one was cut off`);
rude.close();
const load = loadavg().map((each) => each.toFixed(1));
console.log(`load ${load.join(' ')}`);

async function report(when: string): Promise<void> {
  const times: number[] = [];
  for (let index = 0; index < requests; index++) {
    const startedAt = performance.now();
    if (index % 2 === 0) await ask('GET', `${url}/conversations/${id}`);
    else await ask('POST', `${url}/conversations`, talk(1));
    times.push(performance.now() - startedAt);
  }
  const [p50, p99, longest] = [0.5, 0.99, 1].map((share) => percentile(times, share).toFixed(1));
  console.log(`${when}: p50 ${p50} ms, p99 ${p99} ms, longest ${longest} ms; ${residentMb()} MB`);
}

function residentMb(): string {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (Number(kilobytes) / 1000).toFixed(0);
}
