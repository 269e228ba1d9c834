import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { createConversations, streamAddress, talk } from '../harness/http.ts';
import { type Figure, measure, progress, ratioAtMost } from '../harness/measurement.ts';
import { startWorker } from '../harness/processes.ts';
import { median } from '../harness/statistics.ts';
import type { EngineUsage } from '../process/engine.ts';

const CONVERSATIONS = 1000;
const WATCHERS = 300;
const SAMPLE_SECONDS = 10;
/** Until those who come are connected, and those who left are gone on the other side, too. */
const SETTLED_AFTER_MS = 200;
/** Turns of a conversation; then it ends, and another takes its place. */
const TURNS = 6;
const FLAT = 1.1;

await measure(
  '1,000 conversations of 6 turns at human pace, of which each that ends is followed by another; 300 WebSocket ' +
    'watchers, of which 30 leave and 30 come every second. Every 10 s, with all 300 connected: RSS, heap (what ' +
    'the last full collection has left) and handles of the server process. The median of the last third beside that of the first.',
  async ({ cleanup, folder, quick, minutes }) => {
    const engine = startWorker(cleanup, 'engine');
    const url = await engine.ask<string>('start', { folder, playing: { kind: 'human', words: 10 } });
    const count = quick ? 100 : CONVERSATIONS;
    const running = await createConversations(url, count, talk(TURNS));
    const sockets = new Set<WebSocket>();
    cleanup.defer(() => {
      for (const socket of sockets) socket.terminate();
    });
    let replaced = 0;
    let frames = 0;
    const watch = (): void => {
      const id = running[Math.floor(Math.random() * running.length)] ?? '';
      const socket = new WebSocket(streamAddress(url, id), { perMessageDeflate: false });
      sockets.add(socket);
      socket.on('message', () => frames++);
      socket.on('error', () => {});
      socket.on('close', () => sockets.delete(socket));
    };
    const replaceEnded = async (): Promise<void> => {
      const active = await activeConversations(url);
      const missing = count - active;
      if (missing <= 0) return;
      // The oldest have ended first.
      running.splice(0, missing);
      running.push(...(await createConversations(url, missing, talk(TURNS))));
      replaced += missing;
    };

    const samples: EngineUsage[] = [];
    const seconds = (quick ? 0.5 : minutes) * 60;
    for (let second = 1; second <= seconds; second++) {
      await delay(1000);
      let leaving = WATCHERS / 10;
      for (const socket of sockets) {
        if (leaving-- <= 0 || sockets.size < WATCHERS) break;
        if (socket.readyState === WebSocket.OPEN) socket.terminate();
      }
      for (let coming = WATCHERS / 10; coming > 0 && sockets.size < WATCHERS; coming--) watch();
      await replaceEnded();
      if (second % (quick ? 2 : SAMPLE_SECONDS) !== 0) continue;
      // Each sample with as many watchers, so that what is compared is what they leave behind.
      while (sockets.size < WATCHERS) watch();
      await delay(SETTLED_AFTER_MS);
      const usage = await engine.ask<EngineUsage>('usage');
      samples.push(usage);
      progress(
        `${second} s: RSS ${(usage.rss / 1e6).toFixed(0)} MB, heap ${(usage.heapAlive / 1e6).toFixed(0)} MB, ` +
          `${usage.handles} handles, delay p99 ${usage.delay.p99.toFixed(1)} ms`,
      );
    }
    return {
      figures: figuresOf(samples),
      notes: [
        `${(seconds / 60).toFixed(1)} minutes; ${replaced} conversations ended and were followed by others; ` +
          `${frames} frames were read; the event loop's delay was at most ` +
          `${Math.max(...samples.map((sample) => sample.delay.p99)).toFixed(1)} ms at p99 of any 10 s.`,
      ],
    };
  },
);

function figuresOf(samples: EngineUsage[]): Figure[] {
  // Until all code is compiled and the first conversations have ended, it grows without leaking.
  const steady = samples.slice(Math.floor(samples.length / 10));
  const third = Math.ceil(steady.length / 3);
  const compare = (what: string, unit: string, pick: (sample: EngineUsage) => number): Figure => {
    const first = median(steady.slice(0, third).map(pick));
    const last = median(steady.slice(-third).map(pick));
    return ratioAtMost(`${what}, last third`, unit, last, { what: 'first third', rounds: first }, FLAT);
  };
  return [
    compare('RSS', 'MB', ({ rss }) => rss / 1e6),
    compare('heap', 'MB', ({ heapAlive }) => heapAlive / 1e6),
    compare('handles', 'handles', ({ handles }) => handles),
  ];
}

async function activeConversations(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text();
  return Number(/^ai_active_conversations (\d+)$/m.exec(metrics)?.[1]);
}
