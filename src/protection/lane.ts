import {
  type AttemptCall,
  CircuitOpenError,
  type CircuitState,
  type Lane,
  type LaneOptions,
  type Refusal,
} from '../conversation/turn/lane.ts';
import { ProviderError, type ProviderFailure } from '../conversation/turn/provider.ts';
import { callWithin } from './call.ts';
import { Circuit, type Verdict } from './circuit.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import { RateLimit } from './rate.ts';
import type { LaneSettings } from './settings.ts';
import type { SharedProtection } from './shared-protection.ts';
import { type Admission, Waiter } from './waiter.ts';

/** Failures that speak of the vendor's health; all others are the call's own. */
const UNWELL: ReadonlySet<ProviderFailure> = new Set([
  'rate_limited',
  'overloaded',
  'server_error',
  'timeout',
  'network',
  'malformed',
]);

const PROBES = 3;
/** A pause that whoever has a fallback doesn't sit out. */
const LONG_PAUSE_MS = 10_000;
/** What a vendor may ask for; a timer can't take just anything. */
const LONGEST_PAUSE_MS = 3_600_000;

/**
 * The lane of this process to one model. Nothing in it polls: whoever waits is woken in order by an attempt
 * that ends, by what other instances answer, or by the lane's one timer, which is the circuit's while that is
 * open, and otherwise the pause's or the rate limit's. Waiting are at most as many as there are conversations.
 */
export class LocalLane implements Lane {
  readonly #settings: LaneSettings;
  readonly #onChange: (from: CircuitState, to: CircuitState) => void;
  readonly #circuit: Circuit;
  readonly #places: ConcurrencyLimit;
  readonly #rate: RateLimit;
  readonly #waiters = new Set<Waiter>();
  #pausedUntil = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param name by which other instances know this lane */
  constructor(
    name: string,
    settings: LaneSettings,
    shared: SharedProtection,
    onChange: (from: CircuitState, to: CircuitState) => void,
  ) {
    this.#settings = settings;
    this.#onChange = onChange;
    this.#circuit = new Circuit(settings.circuit, {
      onChange: (from, to) => this.#circuitChanged(from, to),
      onClaim: () => this.#probeDecided(),
      share: (hear) => shared.circuit(name, settings.totalMs, hear),
    });
    this.#places = new ConcurrencyLimit(settings.places);
    this.#rate = new RateLimit(settings, {
      onAnswer: () => this.#proceed(),
      share: () => shared.rate(name, settings),
    });
  }

  circuit(): CircuitState {
    return this.#circuit.state;
  }

  /** What a gauge shows. */
  get load(): { waiting: number; running: number; places: number } {
    return { waiting: this.#waiters.size, running: this.#places.taken, places: this.#places.limit };
  }

  async run<T>(attempt: (call: AttemptCall) => Promise<T>, options: LaneOptions): Promise<T> {
    const { signal, tokens } = options;
    signal.throwIfAborted();
    const isFree = this.#waiters.size === 0 && this.#delayMs(tokens) === 0;
    const admission = isFree ? this.#admit(tokens) : await this.#wait(options);
    let verdict: Verdict = 'succeeded';
    try {
      return await callWithin(attempt, this.#settings, signal);
    } catch (error) {
      verdict = signal.aborted ? 'abandoned' : this.#judge(error, admission.ticket);
      throw error;
    } finally {
      if (verdict === 'succeeded') this.#places.succeeded(admission.ticket);
      // The place is free only after the circuit has heard of it, or the next in line would slip through.
      const judged = this.#circuit.leave(admission.era, verdict);
      if (judged) await judged;
      this.#places.free();
      this.#proceed();
      this.#circuit.yieldProbe();
    }
  }

  /** Ends the lane's timers, when nobody runs or waits in it any more. */
  close(): void {
    this.#circuit.close();
    clearTimeout(this.#timer);
  }

  #judge(error: unknown, ticket: number): Verdict {
    // A fault of our own says nothing of the vendor.
    if (!(error instanceof ProviderError)) return 'abandoned';
    if (!UNWELL.has(error.code)) return 'answered';
    if (error.code === 'rate_limited' || error.code === 'overloaded') this.#places.refused(ticket);
    if (error.retryAfterMs !== undefined) this.#pause(Math.min(error.retryAfterMs, LONGEST_PAUSE_MS));
    return 'failed';
  }

  #pause(milliseconds: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, performance.now() + milliseconds);
    this.#dismiss();
    this.#proceed();
  }

  #circuitChanged(from: CircuitState, to: CircuitState): void {
    if (to === 'closed') this.#places.restart();
    if (to === 'open') {
      if (from === 'half_open') for (const waiter of this.#waiters) waiter.failedProbes++;
      this.#dismiss();
    }
    this.#onChange(from, to);
    this.#proceed();
  }

  #probeDecided(): void {
    this.#dismiss();
    this.#proceed();
    // Whoever wanted to make it may have left meanwhile.
    this.#circuit.yieldProbe();
  }

  /** Milliseconds until the next in line may begin: 0 for now, Infinity for when something else has happened. */
  #delayMs(tokens: number): number {
    const closure = this.#closureMs();
    if (closure > 0) {
      this.#rate.giveBack();
      return closure;
    }
    const rate = this.#rate.delayMs(tokens);
    if (rate > 0) return rate;
    return this.#circuit.mayBegin() ? 0 : Infinity;
  }

  /** The same, but for the rate limits and the probe. */
  #closureMs(): number {
    if (this.#circuit.isShut) return Infinity;
    const pause = this.#pauseMs();
    if (pause > 0) return pause;
    return this.#circuit.state === 'closed' && !this.#places.hasRoom ? Infinity : 0;
  }

  #pauseMs(): number {
    if (this.#pausedUntil === 0) return 0;
    const remaining = this.#pausedUntil - performance.now();
    if (remaining <= 0) this.#pausedUntil = 0;
    return Math.max(0, remaining);
  }

  #admit(tokens: number): Admission {
    this.#rate.take(tokens);
    return { era: this.#circuit.enter(), ticket: this.#places.take() };
  }

  async #wait(options: LaneOptions): Promise<Admission> {
    const why = this.#refusalOf(options, 0);
    if (why) throw new CircuitOpenError(why);
    const waiter = new Waiter(options, (left, wasAborted) => {
      this.#waiters.delete(left);
      // The next in line may need less room.
      if (wasAborted) this.#proceed();
    });
    this.#waiters.add(waiter);
    if (this.#waiters.size === 1) this.#proceed();
    return await waiter.admitted;
  }

  #refusalOf(options: LaneOptions, failedProbes: number): Refusal | undefined {
    const pause = this.#pauseMs();
    if (failedProbes >= PROBES) return 'probes';
    if (options.whenOpen === 'refuse' && this.#circuit.isShut) return 'open';
    if (options.whenOpen === 'refuse' && pause >= LONG_PAUSE_MS) return 'paused';
    const known = Math.max(this.#circuit.remainingMs, pause);
    return Date.now() + known > options.deadline ? 'deadline' : undefined;
  }

  /** Refuses those for whom waiting has become pointless. */
  #dismiss(): void {
    for (const waiter of this.#waiters) {
      const why = this.#refusalOf(waiter.options, waiter.failedProbes);
      if (why) waiter.refuse(why);
    }
  }

  /** Lets in who can be let in, first come, first served, and sets the timer for the next if it knows when. */
  #proceed(): void {
    clearTimeout(this.#timer);
    for (const waiter of this.#waiters) {
      const { tokens, deadline } = waiter.options;
      const delay = this.#delayMs(tokens);
      if (delay === 0) {
        waiter.admit(this.#admit(tokens));
      } else if (delay < Infinity && Date.now() + delay > deadline) {
        waiter.refuse('deadline');
      } else {
        if (delay < Infinity) this.#timer = setTimeout(() => this.#proceed(), Math.ceil(delay)).unref();
        return;
      }
    }
    this.#rate.giveBack();
  }
}
