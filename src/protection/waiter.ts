import { CircuitOpenError, type LaneOptions, type Refusal } from '../conversation/turn/lane.ts';
import type { Pause } from './pause.ts';
import type { RateLimit } from './rate.ts';

/** What limits a model besides its account: what the configuration says under the name that it is a version of. */
export interface ModelLimits {
  /** With the account's, too. */
  readonly rate: RateLimit;
  readonly maximum: number;
  running: number;
}

/** A lane as the account knows it that has its queue. */
export interface QueuedLane {
  readonly limits: ModelLimits;
  readonly pause: Pause;
  /** Milliseconds until a call may begin, but for the rates and the probe; Infinity for when something else happened. */
  closureMs(): number;
  /** Whether the circuit lets a call through now; it may have to ask others for that, and says then. */
  mayBegin(): boolean;
  admit(tokens: number): Admission;
  /** Refuses those for whom waiting has become pointless. */
  dismiss(): void;
}

/** What an attempt hands back when it is over: see Circuit and ConcurrencyLimit. */
export interface Admission {
  era: number;
  ticket: number;
  /** How many calls of the lane had succeeded as it began. */
  successes: number;
}

/** One who waits for its turn; whichever of the three ends comes first is the one that counts. */
export class Waiter {
  readonly lane: QueuedLane;
  readonly options: LaneOptions;
  isOver = false;
  /** While it waited. */
  failedProbes = 0;
  readonly admitted: Promise<Admission>;
  readonly #outcome = Promise.withResolvers<Admission>();
  readonly #onLeave: (waiter: Waiter, wasAborted: boolean) => void;

  constructor(
    lane: QueuedLane,
    options: LaneOptions,
    onLeave: (waiter: Waiter, wasAborted: boolean) => void,
  ) {
    this.lane = lane;
    this.options = options;
    this.#onLeave = onLeave;
    this.admitted = this.#outcome.promise;
    options.signal.addEventListener('abort', this.#onAbort);
  }

  get tenant(): string {
    return this.options.tenant;
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
    this.isOver = true;
    this.options.signal.removeEventListener('abort', this.#onAbort);
    this.#onLeave(this, wasAborted);
  }
}
