import type { EventLoopUtilization } from 'node:perf_hooks';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { yieldingToConversations } from '../../src/doors/webhooks/yielding.ts';

const never = new AbortController().signal;

/** An event loop of which a test says how it was since it was measured before. */
function eventLoop() {
  const since = { idle: 0, active: 0 };
  const measure = (before?: EventLoopUtilization): EventLoopUtilization => {
    const { idle, active } = since;
    if (!before) Object.assign(since, { idle: 0, active: 0 });
    return { idle, active, utilization: idle + active === 0 ? 0 : active / (idle + active) };
  };
  return { since, yields: yieldingToConversations(measure) };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('12: a message waits where the event loop was busy for a while, and only there', async () => {
  const { since, yields } = eventLoop();
  const waits = async (idle: number, active: number, signal = never): Promise<boolean> => {
    Object.assign(since, { idle, active });
    let isOver = false;
    const waiting = yields(signal).finally(() => {
      isOver = true;
    });
    await new Promise(setImmediate);
    const waited = !isOver;
    if (waited) vi.advanceTimersByTime(50);
    await waiting;
    return waited;
  };
  expect(await waits(0, 0)).toBe(false);
  // Too short a while to judge by.
  expect(await waits(0, 99)).toBe(false);
  expect(await waits(9, 91)).toBe(true);
  // Still by what was judged before.
  expect(await waits(1, 1)).toBe(true);
  expect(await waits(50, 50)).toBe(false);
  expect(await waits(0, 200)).toBe(true);
  const leaving = AbortSignal.abort();
  expect(await waits(0, 1, leaving)).toBe(false);
});
