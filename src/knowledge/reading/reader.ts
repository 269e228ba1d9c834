import { Worker } from 'node:worker_threads';
import { AppError } from '../../errors.ts';
import type { Unread } from './read.ts';
import type { Reading } from './reading-thread.ts';

export interface ReadingBounds {
  /** How long one document is read, in milliseconds. */
  withinMs: number;
  /** Of a thread, in MiB: its heap, and what it keeps outside of it. */
  heapMiB: number;
  outsideMiB: number;
  /** Documents that are read at the same time, and that wait for it. */
  atOnce: number;
  waiting: number;
  /** A thread with nothing to do is kept for so long, in milliseconds. */
  idleMs: number;
}

const BOUNDS: ReadingBounds = {
  withinMs: 30_000,
  heapMiB: 512,
  outsideMiB: 512,
  atOnce: 2,
  waiting: 32,
  idleMs: 10_000,
};

const MODULE = new URL('./reading-thread.ts', import.meta.url);
const LOOK_EVERY_MS = 50;
const MIB = 1024 * 1024;
const TOO_MUCH = 'reading it takes too much memory';

/** Reads documents in threads, which are ended where one takes too long or too much. */
export class Reader {
  readonly #bounds: ReadingBounds;
  readonly #idle: { worker: Worker; timer: NodeJS.Timeout }[] = [];
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(bounds: Partial<ReadingBounds> = {}) {
    this.#bounds = { ...BOUNDS, ...bounds };
  }

  /**
   * The text and its passages, or why it can't be read.
   *
   * @throws AppError `overloaded` where too many wait
   */
  async read(unread: Unread): Promise<Reading> {
    await this.#place();
    try {
      return await this.#readApart(unread);
    } finally {
      // Whoever waits longest takes the place over.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running--;
    }
  }

  async close(): Promise<void> {
    for (const { timer } of this.#idle) clearTimeout(timer);
    await Promise.all(this.#idle.splice(0).map(({ worker }) => worker.terminate()));
  }

  async #place(): Promise<void> {
    if (this.#running < this.#bounds.atOnce) {
      this.#running++;
      return;
    }
    if (this.#waiting.length >= this.#bounds.waiting) {
      throw new AppError('overloaded', 'Too many documents are being read', { retryAfterSeconds: 5 });
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #readApart(unread: Unread): Promise<Reading> {
    const { withinMs, outsideMiB } = this.#bounds;
    const worker = this.#takeWorker();
    const { promise, resolve } = Promise.withResolvers<Reading & { isOver?: boolean }>();
    const giveUp = (unreadable: string): void => resolve({ unreadable, isOver: true });
    const onError = (error: NodeJS.ErrnoException): void =>
      giveUp(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? TOO_MUCH : `it can't be read: ${error.message}`);
    const onExit = (): void => giveUp("it can't be read");
    worker.once('message', resolve).once('error', onError).once('exit', onExit);
    const tooLong = setTimeout(() => giveUp(`reading it takes longer than ${withinMs / 1000} s`), withinMs);
    const look = setInterval(() => {
      outsideOf(worker).then(
        (bytes) => bytes > outsideMiB * MIB && giveUp(TOO_MUCH),
        () => {},
      );
    }, LOOK_EVERY_MS);
    try {
      worker.postMessage(unread, []);
      const { isOver = false, ...reading } = await promise;
      worker.off('message', resolve).off('error', onError).off('exit', onExit);
      if (isOver) {
        // It may say more on its way out.
        worker.on('error', () => {});
        await worker.terminate();
      } else this.#keep(worker);
      return reading;
    } finally {
      clearTimeout(tooLong);
      clearInterval(look);
    }
  }

  #takeWorker(): Worker {
    const kept = this.#idle.pop();
    if (kept) {
      clearTimeout(kept.timer);
      kept.worker.ref();
      return kept.worker;
    }
    const worker = new Worker(MODULE, {
      resourceLimits: { maxOldGenerationSizeMb: this.#bounds.heapMiB },
      stdout: true,
      stderr: true,
    });
    // What a reader warns of is nobody's log line.
    worker.stdout.resume();
    worker.stderr.resume();
    return worker;
  }

  #keep(worker: Worker): void {
    worker.unref();
    const timer = setTimeout(() => {
      const index = this.#idle.findIndex((each) => each.worker === worker);
      if (index >= 0) this.#idle.splice(index, 1);
      void worker.terminate();
    }, this.#bounds.idleMs).unref();
    this.#idle.push({ worker, timer });
  }
}

/** What a thread keeps outside of its heap, in bytes: files, and what is unpacked of them. */
async function outsideOf(worker: Worker): Promise<number> {
  return (await worker.getHeapStatistics()).external_memory;
}
