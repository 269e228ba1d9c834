import { TokenBucket } from 'limiter';
import type { NamedRate, RateSettings, ReservedCall, SharedRate } from './shared-protection.ts';

export interface RateHooks {
  /** What the other instances say has come: `delayMs` may give less now. */
  onAnswer: () => void;
  /** Joins the other instances, if there are any; asked only where there is a limit. */
  share: (limits: readonly NamedRate[]) => SharedRate;
}

/** What is set aside for the next in line, or asked for, and when it is due by the monotonic clock. */
interface Head {
  readonly tokens: number;
  reserved?: ReservedCall;
  dueAt: number;
}

/** Requests and tokens a minute, as token buckets that begin full: the algorithm that vendors document. */
export class Buckets {
  readonly limits: NamedRate;
  readonly requests: TokenBucket | undefined;
  readonly tokens: TokenBucket | undefined;

  /** @param name of the models for which they are; undefined for a whole account */
  constructor(name: string | undefined, { requestsPerMinute, tokensPerMinute }: Partial<RateSettings>) {
    this.limits = { name, requestsPerMinute, tokensPerMinute };
    this.requests = bucketOf(requestsPerMinute);
    this.tokens = bucketOf(tokensPerMinute);
  }

  get isUnlimited(): boolean {
    return !this.requests && !this.tokens;
  }

  waitMs(tokens: number): number {
    return Math.max(
      this.requests?.getWaitTime(1) ?? 0,
      this.tokens?.getWaitTime(Math.min(tokens, this.tokens.bucketSize)) ?? 0,
    );
  }

  take(tokens: number): void {
    this.requests?.tryRemoveTokens(1);
    this.tokens?.tryRemoveTokens(Math.min(tokens, this.tokens.bucketSize));
  }
}

/**
 * All buckets that a call takes from: the account's, and its model's.
 *
 * Where they are shared, the buckets of all instances decide, and the next in line has a call set aside there. The own
 * ones count along, so that they know what was called here when the others can't be asked.
 */
export class RateLimit {
  readonly #buckets: readonly Buckets[];
  readonly #shared: SharedRate | undefined;
  readonly #onAnswer: () => void;
  #head: Head | undefined;

  constructor(buckets: readonly Buckets[], { onAnswer, share }: RateHooks) {
    this.#buckets = buckets.filter(({ isUnlimited }) => !isUnlimited);
    this.#shared = this.#buckets.length > 0 ? share(this.#buckets.map(({ limits }) => limits)) : undefined;
    this.#onAnswer = onAnswer;
  }

  /**
   * Milliseconds until a call of so many tokens has room, if nobody else comes; Infinity where others have to be
   * asked: `onAnswer` follows. To be asked for the next in line alone.
   */
  delayMs(tokens: number): number {
    const fitting = this.#fitting(tokens);
    if (this.#head?.tokens !== fitting) {
      this.giveBack();
      this.#reserve(fitting);
    }
    if (this.#head) return Math.max(0, this.#head.dueAt - performance.now());
    return Math.max(0, ...this.#buckets.map((each) => each.waitMs(fitting)));
  }

  /** Where `delayMs` said 0. */
  take(tokens: number): void {
    this.#head = undefined;
    for (const each of this.#buckets) each.take(tokens);
  }

  /** Nobody here can begin a call now, whatever the limits say: other instances may. */
  giveBack(): void {
    const head = this.#head;
    this.#head = undefined;
    head?.reserved?.giveBack();
  }

  #reserve(tokens: number): void {
    const asked = this.#shared?.reserve(tokens);
    if (!asked) return;
    const head = { tokens, dueAt: Infinity };
    this.#head = head;
    void asked.then((reserved) => this.#hear(head, reserved));
  }

  #hear(head: Head, reserved: ReservedCall | undefined): void {
    // Whoever it was for has left meanwhile.
    if (this.#head !== head) return reserved?.giveBack();
    if (reserved) {
      head.reserved = reserved;
      head.dueAt = performance.now() + reserved.delayMs;
    } else this.#head = undefined;
    this.#onAnswer();
  }

  /** A call that is larger than a whole minute's worth takes all of it; otherwise it would wait for ever. */
  #fitting(tokens: number): number {
    return Math.min(tokens, Math.max(0, ...this.#buckets.map((each) => each.tokens?.bucketSize ?? 0)));
  }
}

function bucketOf(perMinute: number | undefined): TokenBucket | undefined {
  if (perMinute === undefined) return undefined;
  const bucket = new TokenBucket({ bucketSize: perMinute, tokensPerInterval: perMinute, interval: 'minute' });
  bucket.content = perMinute;
  return bucket;
}
