import { setImmediate } from 'node:timers/promises';

/** Milliseconds of work behind which others have their turn. */
const SLICE_MS = 8;

/** Divides long work, so that whatever else waits for the process has its turn in between. */
export class Slices {
  #since = performance.now();
  readonly #signal: AbortSignal | undefined;

  constructor(signal?: AbortSignal) {
    this.#signal = signal;
  }

  /** To be called between steps; throws where nobody waits for the work any more. */
  async rest(): Promise<void> {
    if (performance.now() - this.#since < SLICE_MS) return;
    await setImmediate();
    this.#signal?.throwIfAborted();
    this.#since = performance.now();
  }
}
