/**
 * What the guards of the default configuration take of the processor: `npm run bench:guards -- 12` (rounds; by default 8).
 * Two servers have the embedded pair talk by turns, 100 conversations of 20 turns a round, one with guards and one
 * without. Prints the CPU time of a turn of each, which the system counts.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Conversation } from '../src/client/types.ts';
import { ask, createConversations, talk } from './harness/http.ts';
import { type Server, startServer } from './harness/processes.ts';
import { processorMs } from './harness/processor.ts';
import { median } from './harness/statistics.ts';

const CONVERSATIONS = 100;
const TURNS = 20;
const WARM_UP = 10;
const OFF = { GUARD_SECRETS: 'off', GUARD_INVISIBLE: 'off', GUARD_INJECTION: 'off' };

const rounds = Number(process.argv[2] ?? 8);
await using cleanup = new AsyncDisposableStack();
const start = (settings: Record<string, string>): Promise<Server> => {
  const folder = mkdtempSync(join(tmpdir(), 'aic-guards-'));
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  return startServer(cleanup, folder, { EMBEDDED_TOKEN_DELAY_MS: '0', ...settings });
};
const without = await start(OFF);
const guarded = await start({});
const times: Record<'without' | 'guarded', number[]> = { without: [], guarded: [] };
for (let index = 0; index < WARM_UP; index++) {
  await microsecondsOfTurn(without);
  await microsecondsOfTurn(guarded);
}
for (let index = 0; index < rounds; index++) {
  times.without.push(await microsecondsOfTurn(without));
  times.guarded.push(await microsecondsOfTurn(guarded));
  console.log(
    `without ${times.without.at(-1)?.toFixed(0)} µs, with guards ${times.guarded.at(-1)?.toFixed(0)} µs`,
  );
}
const [off, on] = [median(times.without), median(times.guarded)];
const load = loadavg().map((each) => each.toFixed(1));
console.log(
  `medians of ${rounds}: ${off.toFixed(0)} µs of CPU time a turn without guards, ${on.toFixed(0)} µs with them, ` +
    `of which they are ${((100 * (on - off)) / on).toFixed(1)} %; load ${load.join(' ')}`,
);

/** One round; CPU time of the server, of all its threads. */
async function microsecondsOfTurn({ url, pid }: Server): Promise<number> {
  const before = processorMs(pid);
  const ids = await createConversations(url, CONVERSATIONS, talk(TURNS));
  for (const id of ids) {
    while ((await ask<Conversation>('GET', `${url}/conversations/${id}`)).status !== 'terminated')
      await delay(50);
  }
  return ((processorMs(pid) - before) * 1000) / (CONVERSATIONS * TURNS);
}
