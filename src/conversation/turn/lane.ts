/** The states of a circuit breaker, as the field calls them. */
export type CircuitState = 'closed' | 'open' | 'half_open';

/** What an attempt is given, and what it has to say. */
export interface AttemptCall {
  /** Aborted with the caller's reason, or with a ProviderError `timeout`; the call on the wire must end with it. */
  readonly signal: AbortSignal;
  /** To be called when the first text comes; until then the shorter of the two timeouts holds. */
  firstToken(): void;
}

export interface LaneOptions {
  /** Tenants who wait for the same account are served by turns. */
  tenant: string;
  /** Estimated tokens of the input plus the maximum of the output, for the tokens a minute. */
  tokens: number;
  /**
   * While the circuit is open, or the vendor has asked for a long pause: wait for it, or be refused at once,
   * as befits a caller with a fallback. A caller who comes when a probe is due makes the probe either way.
   */
  whenOpen: 'wait' | 'refuse';
  /**
   * Milliseconds since 1970. A wait of which it is known that it would outlast this is refused when it is
   * known. No timer watches it: whoever sets it aborts the signal when it has passed.
   */
  deadline: number;
  signal: AbortSignal;
}

/** PORT: the one way to a provider's model, shared by all conversations, so that they shield it together. */
export interface Lane {
  /**
   * Runs one attempt when its turn has come, in the order of asking within a tenant: when the circuit lets it through (or it
   * is the probe), no pause is on, the rate limits have room and a place is free. `attempt` is called at
   * most once. Rejects at once when the signal is aborted, wherever it was waiting, and then leaves nothing
   * behind.
   *
   * @throws CircuitOpenError for a refusal, ProviderError for a failed attempt or a timeout, the signal's
   * reason, or whatever else the attempt throws
   */
  run<T>(attempt: (call: AttemptCall) => Promise<T>, options: LaneOptions): Promise<T>;
  circuit(): CircuitState;
}

/** Why a lane let nobody through: see LaneOptions, and three failed probes while this caller waited. */
export type Refusal = 'open' | 'paused' | 'deadline' | 'probes';

const REFUSALS: Record<Refusal, string> = {
  open: 'the circuit is open',
  paused: 'the vendor asked for a long pause',
  deadline: 'the wait would outlast the conversation',
  probes: 'the circuit stayed open through 3 probes',
};

/** No attempt was made; another provider or model may still answer. */
export class CircuitOpenError extends Error {
  override readonly name = 'CircuitOpenError';
  readonly why: Refusal;

  constructor(why: Refusal) {
    super(REFUSALS[why]);
    this.why = why;
  }
}
