import {
  type AttemptCall,
  CircuitOpenError,
  type CircuitState,
  type Lane,
  type LaneOptions,
  type Refusal,
} from '../conversation/turn/lane.ts';
import { ProviderError, type ProviderFailure } from '../conversation/turn/provider.ts';
import type { Account } from './account.ts';
import { callWithin } from './call.ts';
import { Circuit, type Verdict } from './circuit.ts';
import type { Pause } from './pause.ts';
import type { LaneSettings } from './settings.ts';
import type { SharedProtection } from './shared-protection.ts';
import { type Admission, type ModelLimits, type QueuedLane, Waiter } from './waiter.ts';

/** Failures that speak of the vendor's health; all others are the call's own. */
const UNWELL: ReadonlySet<ProviderFailure> = new Set([
  'rate_limited',
  'overloaded',
  'server_error',
  'timeout',
  'network',
  'malformed',
]);

/** Of these, the ones that say that there were too many calls at once. */
const TOO_MUCH: ReadonlySet<ProviderFailure> = new Set(['rate_limited', 'overloaded', 'timeout']);

const PROBES = 3;
/** A pause that whoever has a fallback doesn't sit out. */
const LONG_PAUSE_MS = 10_000;
/** What a vendor may ask for; a timer can't take just anything. */
const LONGEST_PAUSE_MS = 3_600_000;

/**
 * The lane of this process to one model: its circuit and timeouts. What it shares with the others of the same account
 * (places, rates, who comes next) is the account's.
 */
export class LocalLane implements Lane, QueuedLane {
  readonly limits: ModelLimits;
  readonly pause: Pause;
  readonly #settings: LaneSettings;
  readonly #account: Account;
  readonly #onChange: (from: CircuitState, to: CircuitState) => void;
  readonly #circuit: Circuit;
  readonly #waiters = new Set<Waiter>();
  #running = 0;
  #successes = 0;

  /** @param name by which other instances know this lane */
  constructor(
    { name, model, account }: { name: string; model: string; account: Account },
    settings: LaneSettings,
    shared: SharedProtection,
    onChange: (from: CircuitState, to: CircuitState) => void,
  ) {
    this.#settings = settings;
    this.#account = account;
    this.#onChange = onChange;
    this.limits = account.limitsOf(settings);
    this.pause = account.pauseOf(model);
    this.#circuit = new Circuit(settings.circuit, {
      onChange: (from, to) => this.#circuitChanged(from, to),
      onClaim: () => this.#probeDecided(),
      share: (hear) => shared.circuit(name, settings.totalMs, hear),
    });
    account.join(this);
  }

  circuit(): CircuitState {
    return this.#circuit.state;
  }

  /** What a gauge shows. */
  get load(): { waiting: number; running: number; places: number } {
    const places = Math.min(this.#account.places.limit, this.limits.maximum);
    return { waiting: this.#waiters.size, running: this.#running, places };
  }

  async run<T>(attempt: (call: AttemptCall) => Promise<T>, options: LaneOptions): Promise<T> {
    const { signal, tokens } = options;
    signal.throwIfAborted();
    const isFree = this.#account.isQueueEmpty && this.#delayMs(tokens) === 0;
    const admission = isFree ? this.admit(tokens) : await this.#wait(options);
    let verdict: Verdict = 'succeeded';
    try {
      return await callWithin(attempt, this.#settings, signal);
    } catch (error) {
      verdict = signal.aborted ? 'abandoned' : this.#judge(error, admission);
      throw error;
    } finally {
      if (verdict === 'succeeded') {
        this.#successes++;
        this.#account.places.succeeded(admission.ticket);
      }
      // The place is free only after the circuit has heard of it, or the next in line would slip through.
      this.#circuit.leave(admission.era, verdict);
      this.#running--;
      this.limits.running--;
      this.#account.places.free();
      this.#account.proceed();
      this.#circuit.yieldProbe();
    }
  }

  /** Ends the lane's timers, when nobody runs or waits in it any more. Gives whether its account has no other. */
  close(): boolean {
    this.#circuit.close();
    return this.#account.leave(this);
  }

  closureMs(): number {
    if (this.#circuit.isShut) return Infinity;
    const pause = this.pause.remainingMs;
    if (pause > 0) return pause;
    const hasRoom = this.#account.places.hasRoom && this.limits.running < this.limits.maximum;
    return this.#circuit.state === 'closed' && !hasRoom ? Infinity : 0;
  }

  mayBegin(): boolean {
    return this.#circuit.mayBegin();
  }

  admit(tokens: number): Admission {
    this.limits.rate.take(tokens);
    this.limits.running++;
    this.#running++;
    const [era, ticket] = [this.#circuit.enter(), this.#account.places.take()];
    return { era, ticket, successes: this.#successes };
  }

  dismiss(): void {
    for (const waiter of this.#waiters) {
      const why = this.#refusalOf(waiter.options, waiter.failedProbes);
      if (why) waiter.refuse(why);
    }
  }

  #judge(error: unknown, { ticket, successes }: Admission): Verdict {
    // A fault of our own says nothing of the vendor.
    if (!(error instanceof ProviderError)) return 'abandoned';
    const { code, retryAfterMs, blameless } = error;
    if (!UNWELL.has(code)) return 'answered';
    if (blameless === 'ours') return 'abandoned';
    if (TOO_MUCH.has(code) && blameless === undefined) this.#account.places.refused(ticket);
    if (retryAfterMs !== undefined) {
      this.pause.extend(Math.min(retryAfterMs, LONGEST_PAUSE_MS));
      this.#account.paused(this.pause);
    }
    // Others were served meanwhile: there were too many at once, and nothing else is wrong.
    const isCongestion = code === 'timeout' && this.#successes > successes;
    return isCongestion || blameless === 'loading' ? 'answered' : 'failed';
  }

  #circuitChanged(from: CircuitState, to: CircuitState): void {
    if (to === 'closed') this.#account.places.restart();
    if (to === 'open') {
      if (from === 'half_open') for (const waiter of this.#waiters) waiter.failedProbes++;
      this.dismiss();
    }
    this.#onChange(from, to);
    this.#account.proceed();
  }

  #probeDecided(): void {
    this.dismiss();
    this.#account.proceed();
    // Whoever wanted to make it may have left meanwhile.
    this.#circuit.yieldProbe();
  }

  /** Milliseconds until a call may begin where nobody else waits: 0 for now. */
  #delayMs(tokens: number): number {
    const { rate } = this.limits;
    const closure = this.closureMs();
    if (closure > 0) {
      rate.giveBack();
      return closure;
    }
    const delay = rate.delayMs(tokens);
    if (delay > 0) return delay;
    return this.#circuit.mayBegin() ? 0 : Infinity;
  }

  async #wait(options: LaneOptions): Promise<Admission> {
    const why = this.#refusalOf(options, 0);
    if (why) throw new CircuitOpenError(why);
    const waiter = new Waiter(this, options, (left, wasAborted) => {
      this.#waiters.delete(left);
      this.#account.left(left, wasAborted);
    });
    this.#waiters.add(waiter);
    this.#account.wait(waiter);
    return await waiter.admitted;
  }

  #refusalOf(options: LaneOptions, failedProbes: number): Refusal | undefined {
    const pause = this.pause.remainingMs;
    if (failedProbes >= PROBES) return 'probes';
    if (options.whenOpen === 'refuse' && this.#circuit.isShut) return 'open';
    if (options.whenOpen === 'refuse' && pause >= LONG_PAUSE_MS) return 'paused';
    const known = Math.max(this.#circuit.remainingMs, pause);
    return Date.now() + known > options.deadline ? 'deadline' : undefined;
  }
}
