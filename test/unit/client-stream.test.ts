import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import type { WebSocketClass } from '../../src/client/connection.ts';

/** When each socket was made, in milliseconds after the first. */
let opened: number[];

class SocketThatFails extends EventTarget {
  constructor() {
    super();
    opened.push(Date.now());
    queueMicrotask(() => this.dispatchEvent(new CloseEvent('close', { code: 1006 })));
  }
  close(): void {}
}

class SocketThatHangs extends EventTarget {
  constructor() {
    super();
    opened.push(Date.now());
  }
  close(): void {}
}

beforeEach(() => {
  opened = [];
  vi.useFakeTimers({ now: 0 });
});
afterEach(() => vi.useRealTimers());

async function failingStream(socket: WebSocketClass) {
  const client = createClient({
    baseUrl: 'http://127.0.0.1:1',
    fetch: () => Promise.reject(new TypeError('fetch failed')),
    WebSocket: socket,
  });
  const ended = client
    .watch('id')
    .next()
    .then(
      () => undefined,
      (error: unknown) => error,
    );
  await vi.runAllTimersAsync();
  return ended;
}

it('waits 250 ms, twice as long each time and never more than 10 s, and gives up after 20 failures', async () => {
  expect(await failingStream(SocketThatFails)).toMatchObject({ name: 'ConnectionError' });
  expect(opened.length).toBe(20);
  const delays = opened.slice(1).map((at, index) => at - (opened[index] ?? 0));
  for (const [index, delay] of delays.entries()) {
    const longest = Math.min(10_000, 250 * 2 ** index);
    expect(delay).toBeGreaterThanOrEqual(longest / 2 - 1);
    expect(delay).toBeLessThanOrEqual(longest + 1);
  }
  expect(vi.getTimerCount()).toBe(0);
});

it('does not wait for a socket that never opens for longer than 10 s', async () => {
  expect(await failingStream(SocketThatHangs)).toMatchObject({ name: 'ConnectionError' });
  expect((opened[1] ?? 0) - (opened[0] ?? 0)).toBeGreaterThanOrEqual(10_000);
  expect((opened[1] ?? 0) - (opened[0] ?? 0)).toBeLessThanOrEqual(10_251);
  expect(vi.getTimerCount()).toBe(0);
});
