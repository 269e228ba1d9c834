import { type Stop, Stopped } from './stop.ts';

/** Who is asked to go away. */
export interface Leaver {
  /** Begins nothing more; a call under way may end, and its answer be appended. */
  leave(): void;
  /** Breaks off the call under way, too. Never before `leave`. */
  abort(): void;
}

/** By this, whoever has a conversation run has the run go away, so that another goes on with the conversation. */
export class Drain implements Leaver {
  #isLeaving = false;
  #isAborting = false;
  /** One is enough, and a signal with its listener takes half a kilobyte for each conversation that runs. */
  #leaver: Leaver | undefined;

  get isLeaving(): boolean {
    return this.#isLeaving;
  }

  get isAborting(): boolean {
    return this.#isAborting;
  }

  leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#leaver?.leave();
  }

  abort(): void {
    this.leave();
    if (this.#isAborting) return;
    this.#isAborting = true;
    this.#leaver?.abort();
  }

  /** Has one be asked, at once where it is time already, in the place of whoever was before. */
  tell(leaver: Leaver | undefined): void {
    this.#leaver = leaver;
    if (this.#isLeaving) leaver?.leave();
    if (this.#isAborting) leaver?.abort();
  }
}

/** A run as that which stops it knows it: whether there is something that would be paid for in vain. */
export class Run implements Leaver {
  readonly #controller = new AbortController();
  /** Of the attempt that is being made or waited for. */
  #attempt: AbortController | undefined;
  #isLeaving = false;
  #isPaying = false;

  /** Of the run as a whole: aborted when nothing more is to be done. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The signal of the next attempt, which reaches the socket of the model's call: aborted with the run's, or alone. */
  attempt(): AbortSignal {
    this.#attempt = new AbortController();
    if (this.signal.aborted) this.#attempt.abort(this.signal.reason);
    return this.#attempt.signal;
  }

  stop(why: Stop): void {
    const reason = new Stopped(why);
    this.#controller.abort(reason);
    this.#attempt?.abort(reason);
  }

  /** The attempt under way is void; the run goes on. */
  interrupt(): void {
    this.#attempt?.abort(new Stopped('interrupted'));
  }

  /** Stops it at once where nothing has been paid for, and otherwise when that is settled. */
  leave(): void {
    this.#isLeaving = true;
    if (!this.#isPaying) this.stop('drained');
  }

  abort(): void {
    this.stop('drained');
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
