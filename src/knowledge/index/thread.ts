import { Worker } from 'node:worker_threads';
import { AppError } from '../../errors.ts';
import type { IndexVerbs } from './index-thread.ts';
import type { Answered, Asked, Opening } from './messages.ts';

/** Calls that a thread has not answered yet; beyond it the answer is `overloaded`. */
const MOST_WAITING = 512;
const MODULE = new URL('./index-thread.ts', import.meta.url);

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

/** The index file as a thread has it; the thread is there from the first call on, and again after it broke down. */
export class IndexThread {
  readonly #opening: Opening;
  #worker: Worker | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;

  constructor(opening: Opening) {
    this.#opening = opening;
  }

  /**
   * Has the thread do something. An abort ends the wait alone: what was asked is short, and done all the same.
   *
   * @throws AppError `overloaded` where the disk is full or too much is waiting; the signal's reason
   */
  async ask<Verb extends keyof IndexVerbs>(
    verb: Verb,
    given: Parameters<IndexVerbs[Verb]>,
    signal?: AbortSignal,
  ): Promise<ReturnType<IndexVerbs[Verb]>> {
    signal?.throwIfAborted();
    if (this.#waiting.size >= MOST_WAITING) throw overloaded('too much is waiting');
    const worker = (this.#worker ??= this.#start());
    const id = ++this.#count;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const onAbort = (): void => reject(signal?.reason);
    signal?.addEventListener('abort', onAbort);
    this.#waiting.set(id, { resolve, reject });
    worker.ref();
    worker.postMessage({ id, verb, given } satisfies Asked, []);
    try {
      return (await promise) as ReturnType<IndexVerbs[Verb]>;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** After what was asked before. */
  async close(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    await this.ask('close', []).catch(() => {});
    this.#worker = undefined;
    await worker.terminate();
  }

  #start(): Worker {
    const worker = new Worker(MODULE, { workerData: this.#opening });
    worker.on('message', ({ id, result, failure }: Answered) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) worker.unref();
      if (failure) waiting?.reject(errorOf(failure));
      else waiting?.resolve(result);
    });
    const onEnd = (error: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      const waiting = [...this.#waiting.values()];
      this.#waiting.clear();
      for (const { reject } of waiting) reject(error);
    };
    worker.on('error', onEnd);
    worker.on('exit', () => onEnd(new Error('the thread of the knowledge index ended')));
    return worker;
  }
}

function overloaded(why: string): AppError {
  return new AppError('overloaded', `The knowledge can't be asked at the moment: ${why}`, {
    retryAfterSeconds: 5,
  });
}

/** A full disk or a failing one may be mended while the server runs. */
function errorOf({ code, message }: { code: string; message: string }): Error {
  return /^SQLITE_(FULL|IOERR|BUSY|LOCKED)/.test(code) ? overloaded(message) : new Error(message);
}
