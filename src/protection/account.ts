import { ConcurrencyLimit } from './concurrency-limit.ts';
import { FairQueue } from './fair-queue.ts';
import { Pause } from './pause.ts';
import { Buckets, RateLimit } from './rate.ts';
import { type LaneSettings, pauseNameOf } from './settings.ts';
import type { SharedProtection } from './shared-protection.ts';
import type { ModelLimits, QueuedLane, Waiter } from './waiter.ts';

/**
 * A vendor's account, which all models that are called with its key share: how many calls at once, and how many a
 * minute. Whoever names models gains nothing by naming many. Who waits is served by turns between tenants.
 *
 * Nothing in it polls: whoever waits is woken by an attempt that ends, by what other instances answer, by a lane's
 * circuit, or by the one timer. Waiting are at most as many as there are conversations.
 */
export class Account {
  readonly places: ConcurrencyLimit;
  readonly #name: string;
  readonly #settings: LaneSettings;
  readonly #shared: SharedProtection;
  readonly #buckets: Buckets;
  readonly #rate: RateLimit;
  readonly #limits = new Map<string, ModelLimits>();
  readonly #pauses = new Map<string, Pause>();
  readonly #lanes = new Set<QueuedLane>();
  readonly #queue = new FairQueue<QueuedLane, Waiter>();
  #timer: NodeJS.Timeout | undefined;

  /** @param name by which other instances know it */
  constructor(name: string, settings: LaneSettings, shared: SharedProtection) {
    this.#name = name;
    this.#settings = settings;
    this.#shared = shared;
    this.places = new ConcurrencyLimit(settings.places);
    this.#buckets = new Buckets(undefined, settings);
    this.#rate = this.#rateOf([this.#buckets]);
  }

  get isQueueEmpty(): boolean {
    return this.#queue.isEmpty;
  }

  /** The limits of a model; those under one name share them. */
  limitsOf({ own }: LaneSettings): ModelLimits {
    if (!own) return { rate: this.#rate, maximum: Infinity, running: 0 };
    let limits = this.#limits.get(own.name);
    if (!limits) {
      const isLimited = own.requestsPerMinute !== undefined || own.tokensPerMinute !== undefined;
      const rate = isLimited ? this.#rateOf([this.#buckets, new Buckets(own.name, own)]) : this.#rate;
      limits = { rate, maximum: own.maxConcurrentCalls ?? Infinity, running: 0 };
      this.#limits.set(own.name, limits);
    }
    return limits;
  }

  /** The pause of a model, or where the vendor's limits are the account's, of all of them. */
  pauseOf(model: string): Pause {
    const name = this.#settings.pauses === 'account' ? '' : pauseNameOf(model);
    const pause = this.#pauses.get(name) ?? new Pause();
    this.#pauses.set(name, pause);
    return pause;
  }

  join(lane: QueuedLane): void {
    this.#lanes.add(lane);
  }

  /** Gives whether it was the last one. */
  leave(lane: QueuedLane): boolean {
    this.#lanes.delete(lane);
    const pauses = new Set(Array.from(this.#lanes, ({ pause }) => pause));
    for (const [name, pause] of this.#pauses) if (!pauses.has(pause)) this.#pauses.delete(name);
    if (this.#lanes.size === 0) clearTimeout(this.#timer);
    return this.#lanes.size === 0;
  }

  wait(waiter: Waiter): void {
    const isBehind = this.#queue.add(waiter);
    if (!isBehind) this.proceed();
  }

  /** @param wasAborted it may have stood before others who need less room */
  left(waiter: Waiter, wasAborted: boolean): void {
    this.#queue.delete(waiter);
    if (wasAborted) this.proceed();
  }

  /** A vendor asked for a pause. */
  paused(pause: Pause): void {
    for (const lane of this.#lanes) if (lane.pause === pause) lane.dismiss();
    this.proceed();
  }

  /** Lets in who can be let in, and sets the timer for the next if it knows when. */
  proceed(): void {
    clearTimeout(this.#timer);
    const shut = new Set<QueuedLane>();
    const asked = new Set<RateLimit>();
    let soonest = Infinity;
    for (;;) {
      const waiter = this.#queue.next((lane) => shut.has(lane) || asked.has(lane.limits.rate));
      if (!waiter) break;
      const { lane } = waiter;
      const { tokens, deadline } = waiter.options;
      const closure = lane.closureMs();
      const delay = closure > 0 ? closure : lane.limits.rate.delayMs(tokens);
      if (delay > 0 && delay < Infinity && Date.now() + delay > deadline) waiter.refuse('deadline');
      else if (closure > 0) shut.add(lane);
      else if (delay > 0) asked.add(lane.limits.rate);
      else if (lane.mayBegin()) {
        this.#queue.served(waiter.tenant);
        waiter.admit(lane.admit(tokens));
        continue;
      } else shut.add(lane);
      if (delay > 0 && !waiter.isOver) soonest = Math.min(soonest, delay);
    }
    // Where nobody can begin a call now, other instances may.
    for (const rate of this.#rates()) if (!asked.has(rate)) rate.giveBack();
    if (soonest < Infinity) this.#timer = setTimeout(() => this.proceed(), Math.ceil(soonest)).unref();
  }

  #rates(): Set<RateLimit> {
    return new Set([this.#rate, ...Array.from(this.#limits.values(), ({ rate }) => rate)]);
  }

  #rateOf(buckets: readonly Buckets[]): RateLimit {
    return new RateLimit(buckets, {
      onAnswer: () => this.proceed(),
      share: (limits) => this.#shared.rate(this.#name, limits),
    });
  }
}
