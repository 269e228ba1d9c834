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
  /** Of the attempts that are being made or waited for: one, or those of a round. */
  readonly #attempts = new Set<AbortController>();
  #isLeaving = false;
  #callsPaid = 0;
  #interruptions = 0;

  /** Of the run as a whole: aborted when nothing more is to be done. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** How often attempts were made void so far: what was said before the last time is void, too. */
  get interruptions(): number {
    return this.#interruptions;
  }

  /**
   * The signal of the next attempt, which reaches the socket of the model's call: aborted with the run's, or alone.
   * `over` is to be called when it has come to something.
   */
  attempt(): { signal: AbortSignal; over: () => void } {
    const controller = new AbortController();
    if (this.signal.aborted) controller.abort(this.signal.reason);
    this.#attempts.add(controller);
    return { signal: controller.signal, over: () => void this.#attempts.delete(controller) };
  }

  stop(why: Stop): void {
    const reason = new Stopped(why);
    this.#controller.abort(reason);
    for (const attempt of this.#attempts) attempt.abort(reason);
  }

  /** The attempts under way are void; the run goes on. */
  interrupt(): void {
    this.#interruptions++;
    for (const attempt of this.#attempts) attempt.abort(new Stopped('interrupted'));
  }

  /** Stops it at once where nothing has been paid for, and otherwise when that is settled. */
  leave(): void {
    this.#isLeaving = true;
    if (this.#callsPaid === 0) this.stop('drained');
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
    this.#callsPaid++;
  }

  /** What one call was paid for stands in the log, or came to nothing. */
  settled(): void {
    this.#callsPaid = Math.max(0, this.#callsPaid - 1);
    if (this.#isLeaving && this.#callsPaid === 0) this.stop('drained');
  }

  /** Whatever was paid for is settled. */
  allSettled(): void {
    this.#callsPaid = 0;
    if (this.#isLeaving) this.stop('drained');
  }
}
