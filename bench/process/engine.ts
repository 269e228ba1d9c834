/** The whole server with a provider in its own process in the place of the embedded pair. */

import type { AddressInfo } from 'node:net';
import { constants, monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { compose } from '../../src/compose.ts';
import { readConfig } from '../../src/config/config.ts';
import { keepHeapSmall } from '../../src/memory.ts';
import { answer } from './answering.ts';
import { Pace } from './pace.ts';
import { createProvider, type Mark, type Playing } from './providers.ts';

export interface EngineOptions {
  folder: string;
  playing: Playing;
  /** Variables of the configuration. */
  configuration?: Record<string, string>;
}

export interface EngineUsage {
  /** Bytes. */
  rss: number;
  /** What the last full collection of the heap has left, in bytes. */
  heapAlive: number;
  handles: number;
  /** CPU time so far, in microseconds. */
  processor: number;
  /** Of the event loop since it was last asked for, in milliseconds. */
  delay: { p50: number; p99: number; max: number };
}

keepHeapSmall();
const pace = new Pace();
const marks = new Map<number, Mark>();
const loop = monitorEventLoopDelay({ resolution: 1 });
/** Lines that say that something is wrong are shown, up to so many. */
const SHOWN_ERRORS = 5;
let errors = 0;

let heapAlive = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries() as (PerformanceEntry & { detail?: { kind?: number } })[]) {
    if (entry.detail?.kind !== constants.NODE_PERFORMANCE_GC_MAJOR) continue;
    heapAlive = process.memoryUsage().heapUsed;
  }
}).observe({ entryTypes: ['gc'] });

answer({
  async start({ folder, playing, configuration = {} }: EngineOptions): Promise<string> {
    const config = readConfig({ DATA_DIR: folder, PORT: '0', ...configuration }, '/dev/null');
    const provider = createProvider(playing, pace, marks);
    // Lines are made and masked as ever; what is left out is the write to the terminal or file.
    const output = {
      write: (line: string) => {
        if (line.includes('"level":"error"') && errors++ < SHOWN_ERRORS) process.stderr.write(line);
      },
    };
    const platform = await compose(config, output, { providers: new Map([['embedded', provider]]) });
    await platform.app.listen({ host: config.HOST, port: config.PORT });
    await platform.resume();
    loop.enable();
    return `http://127.0.0.1:${(platform.app.server.address() as AddressInfo).port}`;
  },
  allow: (limit: number) => pace.allow(limit),
  rss: () => process.memoryUsage.rss(),
  marks: () => [...marks],
  forgetMarks: () => marks.clear(),
  usage(): EngineUsage {
    const { user, system } = process.cpuUsage();
    const delay = {
      p50: loop.percentile(50) / 1e6,
      p99: loop.percentile(99) / 1e6,
      max: loop.max / 1e6,
    };
    loop.reset();
    return {
      rss: process.memoryUsage.rss(),
      heapAlive,
      handles: process.getActiveResourcesInfo().filter((name) => name !== 'Timeout').length,
      processor: user + system,
      delay,
    };
  },
});
