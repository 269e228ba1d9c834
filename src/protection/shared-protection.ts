/** What another instance says of a circuit. `unclaimed`: whoever was to make the probe doesn't. */
export type CircuitNews =
  | { state: 'open'; remainingMs: number }
  | { state: 'closed' }
  | { state: 'unclaimed' };

/** `retryInMs`: when the one who makes the probe must have ended, or be gone. */
export type Claim = { granted: true } | { granted: false; retryInMs: number };

/** A circuit as one of several instances that share it. What is told reaches the others soon, or not at all. */
export interface SharedCircuit {
  /** Of its own accord; a probe is due after so many milliseconds. */
  opened(openMs: number): void;
  closed(): void;
  /**
   * Asks to make the probe that is due. Undefined where there is nobody else who could; granted where the others
   * can't be asked. Never rejects.
   */
  claimProbe(): Promise<Claim> | undefined;
  /** Gives a granted claim back without a probe. */
  unclaimProbe(): void;
  /** Nothing is heard any more. */
  leave(): void;
}

/** Undefined: unlimited. */
export interface RateSettings {
  requestsPerMinute: number | undefined;
  tokensPerMinute: number | undefined;
}

/** The limits of a whole account (no name), or of the models of one name. */
export interface NamedRate extends RateSettings {
  name: string | undefined;
}

/** A call that is set aside until the limits have room for it. */
export interface ReservedCall {
  /** Milliseconds until it may be made. */
  delayMs: number;
  /** It isn't made. */
  giveBack(): void;
}

/** The rate limits of an account and of a model as one of several instances that share them. */
export interface SharedRate {
  /**
   * Sets a call aside, behind all that the others have set aside. Undefined, at once or later, where nobody else
   * counts or they can't be asked: then the caller's own limits hold. Later only now and then, so that whoever
   * asks again is told at once. Never rejects.
   */
  reserve(tokens: number): Promise<ReservedCall | undefined> | undefined;
}

/**
 * PORT: what the instances of a platform share to shield vendors together. Where it fails each goes on by itself.
 */
export interface SharedProtection {
  /**
   * @param longestProbeMs when a probe has ended in any case
   * @param hear told of what others do from now on, and soon of what they have done
   */
  circuit(name: string, longestProbeMs: number, hear: (news: CircuitNews) => void): SharedCircuit;
  /** @param limits of which there is at least one; a call takes from each */
  rate(account: string, limits: readonly NamedRate[]): SharedRate;
  /** @param hear told of a circuit that opens elsewhere and that nobody here has asked for */
  onStranger(hear: (name: string) => void): void;
}

const ALONE: SharedCircuit = {
  opened: () => {},
  closed: () => {},
  claimProbe: () => undefined,
  unclaimProbe: () => {},
  leave: () => {},
};

/** For a process that has its vendors for itself. */
export const UNSHARED: SharedProtection = {
  circuit: () => ALONE,
  onStranger: () => {},
  rate: () => ({ reserve: () => undefined }),
};
