import type { CircuitState } from '../conversation/turn/lane.ts';
import type { CircuitNews, Claim, SharedCircuit } from './shared-protection.ts';

/**
 * What an attempt says of the vendor's health. `answered`: it failed for reasons of its own. `abandoned`: it
 * was ended before it could say anything.
 */
export type Verdict = 'succeeded' | 'failed' | 'answered' | 'abandoned';

export interface CircuitSettings {
  /** Consecutive ones that open it. */
  failures: number;
  /** Milliseconds from its opening until a probe is due. */
  openMs: number;
}

export interface CircuitHooks {
  onChange: (from: CircuitState, to: CircuitState) => void;
  /** Who may make the probe has been decided, or is open again. */
  onClaim: () => void;
  /** Joins the other instances, if there are any; they are heard by the function given. */
  share: (hear: (news: CircuitNews) => void) => SharedCircuit;
}

/**
 * The circuit breaker of a lane: closed, open for a while, then half open for one probe, and closed or open again as
 * the probe comes out (https://learn.microsoft.com/azure/architecture/patterns/circuit-breaker). It is fed with
 * verdicts. A verdict counts in the state in which its attempt began, so that late failures of calls from before an
 * outage don't overrule the probe.
 *
 * Where it is shared, each instance counts its own failures, and what one decides holds for all: whoever opens or
 * closes it says so, and of all of them one makes the probe. It is asked for only when somebody here would make it.
 */
export class Circuit {
  readonly #settings: CircuitSettings;
  readonly #hooks: CircuitHooks;
  readonly #shared: SharedCircuit;
  #failuresInARow = 0;
  #state: CircuitState = 'closed';
  #era = 0;
  #isProbing = false;
  #timer: NodeJS.Timeout | undefined;
  #probeDueAt = 0;
  /** Whose the probe of this half-open state is. */
  #claim: 'nobody' | 'asked' | 'ours' | 'theirs' = 'nobody';

  constructor(settings: CircuitSettings, hooks: CircuitHooks) {
    this.#settings = settings;
    this.#hooks = hooks;
    this.#shared = hooks.share((news) => this.#hear(news));
  }

  get state(): CircuitState {
    return this.#state;
  }

  /** Whether an attempt can't begin before the state changes, or the probe is given up. */
  get isShut(): boolean {
    if (this.#state === 'half_open') return this.#isProbing || this.#claim === 'theirs';
    return this.#state === 'open';
  }

  /**
   * Whether an attempt may begin now; in half-open it is the probe, and the only one. Where others may make it, too,
   * they are asked first: it is false then, and `onClaim` follows.
   */
  mayBegin(): boolean {
    if (this.#state !== 'half_open') return this.#state === 'closed';
    if (this.#isProbing) return false;
    if (this.#claim === 'nobody') this.#ask();
    return this.#claim === 'ours';
  }

  /** Nobody here makes the probe: another instance may. */
  yieldProbe(): void {
    if (this.#claim !== 'ours' || this.#isProbing) return;
    this.#claim = 'nobody';
    this.#shared.unclaimProbe();
  }

  /** Milliseconds until a probe is due: 0 unless it is open. */
  get remainingMs(): number {
    return this.#state === 'open' ? Math.max(0, this.#probeDueAt - performance.now()) : 0;
  }

  /** An attempt begins; gives what `leave` has to be told. */
  enter(): number {
    if (this.#state === 'half_open') this.#isProbing = true;
    return this.#era;
  }

  /** An attempt is over. What ends late says nothing of the state that has begun meanwhile. */
  leave(era: number, verdict: Verdict): void {
    if (era !== this.#era) return;
    if (verdict === 'abandoned') this.#isProbing = false;
    else if (this.#state === 'half_open') this.#decideBy(verdict);
    else if (verdict === 'succeeded') this.#failuresInARow = 0;
    else if (verdict === 'failed' && ++this.#failuresInARow >= this.#settings.failures) this.#open();
  }

  /** Ends the timer; the circuit then stays as it is. */
  close(): void {
    clearTimeout(this.#timer);
    this.#shared.leave();
  }

  #ask(): void {
    const answer = this.#shared.claimProbe();
    this.#claim = answer ? 'asked' : 'ours';
    const era = this.#era;
    void answer?.then((claim) => this.#decide(claim, era));
  }

  #decide(claim: Claim, era: number): void {
    if (era !== this.#era) {
      if (claim.granted) this.#shared.unclaimProbe();
      return;
    }
    this.#claim = claim.granted ? 'ours' : 'theirs';
    if (!claim.granted) this.#setTimer(() => this.#forgetClaim(), claim.retryInMs);
    this.#hooks.onClaim();
  }

  #forgetClaim(): void {
    if (this.#claim !== 'theirs') return;
    this.#claim = 'nobody';
    this.#hooks.onClaim();
  }

  /** What another instance decided holds here; only that it is open means little to who makes the probe now. */
  #hear(news: CircuitNews): void {
    if (news.state === 'unclaimed') return this.#forgetClaim();
    if (news.state === 'closed') {
      if (this.#state !== 'closed') this.#changeTo('closed');
      return;
    }
    if (this.#isProbing) return;
    if (this.#state === 'open') this.#openFor(news.remainingMs);
    else this.#changeTo('open', news.remainingMs);
  }

  /** By the probe. That the vendor answered is enough, also with an error. */
  #decideBy(verdict: Verdict): void {
    if (verdict === 'failed') return this.#open();
    this.#changeTo('closed');
    this.#shared.closed();
  }

  #open(): void {
    this.#changeTo('open');
    this.#shared.opened(this.#settings.openMs);
  }

  #changeTo(state: CircuitState, openMs = this.#settings.openMs): void {
    const from = this.#state;
    this.#state = state;
    this.#era++;
    this.#isProbing = false;
    this.#claim = 'nobody';
    this.#failuresInARow = 0;
    clearTimeout(this.#timer);
    if (state === 'open') this.#openFor(openMs);
    this.#hooks.onChange(from, state);
  }

  #openFor(milliseconds: number): void {
    this.#probeDueAt = performance.now() + milliseconds;
    this.#setTimer(() => this.#changeTo('half_open'), milliseconds);
  }

  #setTimer(act: () => void, milliseconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(act, milliseconds).unref();
  }
}
