import { type Stop, Stopped } from './stop.ts';

/** By this, whoever has a conversation run has the run go away, so that another goes on with the conversation. */
export class Departure {
  readonly #leave = new AbortController();
  readonly #abort = new AbortController();

  /** Aborted: the run begins nothing more; a call under way may end, and its answer be appended. */
  get leaving(): AbortSignal {
    return this.#leave.signal;
  }

  /** Aborted, never before `leaving`: the call under way is broken off, too. */
  get aborting(): AbortSignal {
    return this.#abort.signal;
  }

  leave(): void {
    this.#leave.abort();
  }

  abort(): void {
    this.#leave.abort();
    this.#abort.abort();
  }
}

/** A run as that which stops it knows it: whether there is something that would be paid for in vain. */
export class Run {
  readonly #controller = new AbortController();
  #isLeaving = false;
  #isPaying = false;

  /** The one signal of the run; it reaches the socket of the model's call. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  stop(why: Stop): void {
    this.#controller.abort(new Stopped(why));
  }

  /** Stops it at once where nothing has been paid for, and otherwise when that is settled. */
  leave(): void {
    this.#isLeaving = true;
    if (!this.#isPaying) this.stop('drained');
  }

  /**
   * A call is made now.
   *
   * @throws Stopped where the run was stopped before
   */
  paying(): void {
    this.signal.throwIfAborted();
    this.#isPaying = true;
  }

  /** What was paid for stands in the log, or came to nothing. */
  settled(): void {
    this.#isPaying = false;
    if (this.#isLeaving) this.stop('drained');
  }
}
