import type { AttemptCall } from '../conversation/turn/lane.ts';
import { ProviderError } from '../conversation/turn/provider.ts';

/** Milliseconds. */
export interface Timeouts {
  /** Until the first text. */
  firstTokenMs: number;
  /** Until the end of the answer. */
  totalMs: number;
}

/**
 * Makes an attempt within its timeouts. Settles at once when a timeout passes or the signal is aborted, also
 * when the attempt pays no heed to that.
 *
 * @throws ProviderError `timeout`, the signal's reason, or what the attempt throws
 */
export function callWithin<T>(
  attempt: (call: AttemptCall) => Promise<T>,
  timeouts: Timeouts,
  signal: AbortSignal,
): Promise<T> {
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  return new Promise((resolve, reject) => new Call(attempt, timeouts, signal, resolve, reject));
}

/** One timer serves both timeouts, because nearly every call ends before the first of them. */
class Call<T> implements AttemptCall {
  readonly #aborter = new AbortController();
  readonly #timeouts: Timeouts;
  readonly #caller: AbortSignal;
  readonly #reject: (reason: Error) => void;
  #timer: NodeJS.Timeout;
  #hasFirstToken = false;

  constructor(
    attempt: (call: AttemptCall) => Promise<T>,
    timeouts: Timeouts,
    caller: AbortSignal,
    resolve: (value: T) => void,
    reject: (reason: Error) => void,
  ) {
    this.#timeouts = timeouts;
    this.#caller = caller;
    this.#reject = reject;
    this.#timer = setTimeout(this.#onFirstTimeout, Math.min(timeouts.firstTokenMs, timeouts.totalMs));
    caller.addEventListener('abort', this.#onAbort);
    this.#make(attempt).then(resolve, reject);
  }

  get signal(): AbortSignal {
    return this.#aborter.signal;
  }

  firstToken(): void {
    this.#hasFirstToken = true;
  }

  async #make(attempt: (call: AttemptCall) => Promise<T>): Promise<T> {
    try {
      return await attempt(this);
    } finally {
      this.#tidy();
    }
  }

  readonly #onFirstTimeout = (): void => {
    const { firstTokenMs, totalMs } = this.#timeouts;
    if (firstTokenMs >= totalMs) this.#onTotalTimeout();
    else if (this.#hasFirstToken) this.#timer = setTimeout(this.#onTotalTimeout, totalMs - firstTokenMs);
    else this.#stop(new ProviderError('timeout', `no answer began within ${firstTokenMs / 1000} s`));
  };

  readonly #onTotalTimeout = (): void =>
    this.#stop(
      new ProviderError('timeout', `the answer was not whole within ${this.#timeouts.totalMs / 1000} s`),
    );

  readonly #onAbort = (): void => this.#stop(this.#caller.reason as Error);

  #stop(reason: Error): void {
    this.#tidy();
    this.#reject(reason);
    this.#aborter.abort(reason);
  }

  #tidy(): void {
    clearTimeout(this.#timer);
    this.#caller.removeEventListener('abort', this.#onAbort);
  }
}
