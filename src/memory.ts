import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** How much alive makes a heap a large one, in bytes. */
const LARGE = 128 * 1024 * 1024;
/** By how much of what was alive a heap grows before it is collected, in percent. V8 itself goes up to 300. */
const GROWTH = { small: 100, large: 60 };

/**
 * Has V8 collect sooner than it would, and a large heap sooner than a small one. A turn's objects live for the
 * seconds that a model takes, grow old by that and stay until the next full collection: with 10,000 conversations at
 * once the process then holds half the memory, for some percent more CPU time. Where there is less to hold, the
 * time is worth more.
 *
 * To be called once; it looks at the heap after each collection, of which there are some tens a second at most.
 */
export function keepHeapSmall(): void {
  let growth = 0;
  const grow = (percent: number): void => {
    // It counts from the next full collection on.
    if (percent !== growth) setFlagsFromString(`--heap-growing-percent=${percent}`);
    growth = percent;
  };
  grow(GROWTH.small);
  new PerformanceObserver((list) => {
    const used = getHeapStatistics().used_heap_size;
    if (list.getEntries().some(isFull)) grow(used < LARGE ? GROWTH.small : GROWTH.large);
    // More than a small heap can come to: the full collection that is due shall know it for a large one.
    else if (used > LARGE * 2) grow(GROWTH.large);
  }).observe({ entryTypes: ['gc'] });
}

/** Node's types don't know of the detail, which https://nodejs.org/api/perf_hooks.html gives for `gc`. */
function isFull(entry: PerformanceEntry & { detail?: { kind?: number } }): boolean {
  return entry.detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
