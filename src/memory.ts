import { constants, PerformanceObserver } from 'node:perf_hooks';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/** How much alive makes a heap a large one, in bytes. */
const LARGE = 96 * 1024 * 1024;

/**
 * Has V8 collect a large heap when it has grown by 60 % of what was alive, instead of up to fourfold. A turn's
 * objects live for the seconds that a model takes, grow old by that and stay until the next full collection:
 * with 10,000 conversations at once the process then holds half the memory, for a tenth more CPU time. A small heap
 * grows as V8 thinks best: collecting that often would cost its requests more than the memory is worth.
 *
 * To be called once; it looks at the heap after each collection, of which there are some tens a second at most.
 */
export function keepLargeHeapSmall(): void {
  let growth = 0;
  new PerformanceObserver((list) => {
    for (const collection of list.getEntries()) {
      // Between full collections about half of what is there isn't alive.
      const least = isFull(collection) ? LARGE : 2 * LARGE;
      const wanted = getHeapStatistics().used_heap_size < least ? 0 : 60;
      // 0 leaves it to V8. It counts from the next full collection on.
      if (wanted !== growth) setFlagsFromString(`--heap-growing-percent=${wanted}`);
      growth = wanted;
    }
  }).observe({ entryTypes: ['gc'] });
}

/** Node's types don't know of the detail, which https://nodejs.org/api/perf_hooks.html gives for `gc`. */
function isFull(entry: PerformanceEntry & { detail?: { kind?: number } }): boolean {
  return entry.detail?.kind === constants.NODE_PERFORMANCE_GC_MAJOR;
}
