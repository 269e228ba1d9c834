/**
 * What webhooks take from conversations: `npm run bench:webhooks -- 12 --word 20` (rounds, by default 8; milliseconds for each
 * word that is said, by default none). Three servers have the embedded pair talk by turns, 100 conversations of 20 turns a
 * round: one without webhooks, one with one that hears all, one with three that hang, fail and close. Prints turns a second, from
 * the first createdAt to the last endedAt, and the CPU time of a turn with all that is told of it.
 */

import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { Conversation } from '../src/client/types.ts';
import { ask, createConversations, talk } from './harness/http.ts';
import { type Server, startServer } from './harness/processes.ts';
import { processorMs } from './harness/processor.ts';
import { median } from './harness/statistics.ts';

const CONVERSATIONS = 100;
const TURNS = 20;
const WARM_UP = 3;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { word: { type: 'string', default: '0' } },
});
const rounds = Number(positionals[0] ?? 8);
await using cleanup = new AsyncDisposableStack();
const healthy = await startReceiver((response) => void response.writeHead(204).end());
const receivers = {
  none: [],
  'one that hears all': [healthy],
  'three that hang, fail and close': [
    await startReceiver(() => {}),
    await startReceiver((response) => void response.writeHead(500).end()),
    await startReceiver((response) => void response.destroy()),
  ],
};
const sides = await Promise.all(
  Object.entries(receivers).map(async ([name, hooks]) => {
    const folder = mkdtempSync(join(tmpdir(), 'aic-webhooks-'));
    cleanup.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
    const server = await startServer(cleanup, folder, {
      EMBEDDED_TOKEN_DELAY_MS: values.word,
      WEBHOOKS_ALLOW_PRIVATE: 'true',
    });
    for (const { url } of hooks) await ask('POST', `${server.url}/webhooks`, { url, events: ['*'] });
    return { name, server, rounds: [] as Round[] };
  }),
);
for (let index = -WARM_UP; index < rounds; index++) {
  for (const { name, server, rounds: measured } of sides) {
    const round = await runRound(server);
    if (index < 0) continue;
    measured.push(round);
    console.log(
      `${name}: ${round.turnsPerSecond.toFixed(0)} turns/s, ${round.cpuMicroseconds.toFixed(0)} µs`,
    );
  }
}
const [without] = sides;
for (const { name, rounds: measured } of sides) {
  const speed = ratioOf(measured, without?.rounds, ({ turnsPerSecond }) => turnsPerSecond);
  const time = ratioOf(measured, without?.rounds, ({ cpuMicroseconds }) => cpuMicroseconds);
  console.log(
    `${name}: ${median(measured.map(({ turnsPerSecond }) => turnsPerSecond)).toFixed(0)} turns/s (${speed.toFixed(2)} ×), ` +
      `${median(measured.map(({ cpuMicroseconds }) => cpuMicroseconds)).toFixed(0)} µs of CPU time a turn (${time.toFixed(2)} ×)`,
  );
}
console.log(
  `medians of ${rounds} rounds; load ${loadavg()
    .map((each) => each.toFixed(1))
    .join(' ')}`,
);

interface Round {
  turnsPerSecond: number;
  /** Of the server, of all its threads. */
  cpuMicroseconds: number;
}

function ratioOf(
  ours: readonly Round[],
  beside: readonly Round[] = [],
  of: (round: Round) => number,
): number {
  return median(ours.map((round, index) => of(round) / of(beside[index] as Round)));
}

async function runRound({ url, pid }: Server): Promise<Round> {
  const before = processorMs(pid);
  const ids = await createConversations(url, CONVERSATIONS, talk(TURNS));
  const ended = await Promise.all(ids.map((id) => endOf(url, id)));
  await healthy.quiet();
  const from = Math.min(...ended.map(({ createdAt }) => Date.parse(createdAt)));
  const to = Math.max(...ended.map(({ endedAt }) => Date.parse(endedAt ?? '')));
  const turns = CONVERSATIONS * TURNS;
  return {
    turnsPerSecond: turns / ((to - from) / 1000),
    cpuMicroseconds: ((processorMs(pid) - before) * 1000) / turns,
  };
}

async function endOf(url: string, id: string): Promise<Conversation> {
  for (;;) {
    const conversation = await ask<Conversation>('GET', `${url}/conversations/${id}`);
    if (conversation.status === 'terminated') return conversation;
    await delay(50);
  }
}

async function startReceiver(react: (response: ServerResponse) => void) {
  let heard = 0;
  const server = createServer((request, response) => {
    heard++;
    request.resume();
    request.on('end', () => react(response));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanup.defer(() => {
    server.close();
    server.closeAllConnections();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    /** Fulfilled when nothing came for a while. */
    async quiet() {
      for (let before = -1; before !== heard; ) {
        before = heard;
        await delay(300);
      }
    },
  };
}
