import { CircuitOpenError, type LaneOptions, type Refusal } from '../conversation/turn/lane.ts';

/** What an attempt hands back when it is over: see Circuit and ConcurrencyLimit. */
export interface Admission {
  era: number;
  ticket: number;
}

/** One who waits for its turn; whichever of the three ends comes first is the one that counts. */
export class Waiter {
  readonly options: LaneOptions;
  /** While it waited. */
  failedProbes = 0;
  readonly admitted: Promise<Admission>;
  readonly #outcome = Promise.withResolvers<Admission>();
  readonly #onLeave: (waiter: Waiter, wasAborted: boolean) => void;

  constructor(options: LaneOptions, onLeave: (waiter: Waiter, wasAborted: boolean) => void) {
    this.options = options;
    this.#onLeave = onLeave;
    this.admitted = this.#outcome.promise;
    options.signal.addEventListener('abort', this.#onAbort);
  }

  admit(admission: Admission): void {
    this.#leave(false);
    this.#outcome.resolve(admission);
  }

  refuse(why: Refusal): void {
    this.#leave(false);
    this.#outcome.reject(new CircuitOpenError(why));
  }

  readonly #onAbort = (): void => {
    this.#outcome.reject(this.options.signal.reason);
    this.#leave(true);
  };

  #leave(wasAborted: boolean): void {
    this.options.signal.removeEventListener('abort', this.#onAbort);
    this.#onLeave(this, wasAborted);
  }
}
