import { type EventLoopUtilization, performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

/** How long is looked at the event loop before it is judged anew, in milliseconds. */
const WINDOW_MS = 100;
/** The share of that time from which on it is busy. */
const BUSY = 0.9;
/** What a message waits then, in milliseconds: at 8 at once a webhook is told 160 events a second at least. */
const WAIT_MS = 50;

/**
 * Lets conversations go first: where the event loop has no time left, each message waits a little before it is sent. Both
 * are of one process, and nobody waits for a webhook as people do for the next word.
 *
 * @param measure the event loop's utilization since it was measured before
 */
export function yieldingToConversations(
  measure: (before?: EventLoopUtilization) => EventLoopUtilization = (before) =>
    performance.eventLoopUtilization(before),
): (signal: AbortSignal) => Promise<void> {
  let before = measure();
  let isBusy = false;
  return async (signal) => {
    const { idle, active, utilization } = measure(before);
    if (idle + active >= WINDOW_MS) {
      isBusy = utilization >= BUSY;
      before = measure();
    }
    // Cut short where the server shuts down.
    if (isBusy) await delay(WAIT_MS, undefined, { signal }).catch(() => {});
  };
}
