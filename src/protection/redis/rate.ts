import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';
import { defineScript, type Script } from '../../storage/redis/scripts.ts';
import type { NamedRate, SharedRate } from '../shared-protection.ts';

const MINUTE_MS = 60_000;
/** While Redis doesn't answer, it is tried again after so long. */
const RETRY_MS = 5000;

/** The rate limits that the instances on one Redis share; see RedisProtection. */
export class RedisRates {
  readonly #prefix: string;
  readonly #onAnswer: (isAnswered: boolean) => void;
  readonly #reserve: Script;
  readonly #giveBack: Script;
  #isAnswering = true;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param onAnswer told with each answer of Redis, and each that didn't come
   */
  constructor(client: RedisClient, prefix: string, onAnswer: (isAnswered: boolean) => void) {
    this.#prefix = prefix;
    this.#onAnswer = onAnswer;
    const script = (name: string): Script =>
      defineScript(client, `rate_${name}`, new URL(`./scripts/${name}.lua`, import.meta.url));
    this.#reserve = script('reserve-call');
    this.#giveBack = script('give-back-call');
  }

  rate(account: string, limits: readonly NamedRate[]): SharedRate {
    // What stands in braces puts all on one node; a name may have braces of its own.
    const place = `{${this.#prefix}:rate:${encodeURIComponent(account)}}`;
    const all = limits.flatMap(({ name, requestsPerMinute, tokensPerMinute }) => {
      const of = name === undefined ? place : `${place}:${encodeURIComponent(name)}`;
      return [
        { bucket: `${of}:requests`, perMinute: requestsPerMinute, isTokens: false },
        { bucket: `${of}:tokens`, perMinute: tokensPerMinute, isTokens: true },
      ].filter(({ perMinute }) => perMinute !== undefined);
    });
    const buckets = all.map(({ bucket }) => bucket);
    const reserve: SharedRate['reserve'] = async (tokens) => {
      // What is larger than a minute's worth takes all of it.
      const times = all.map(
        ({ perMinute = Infinity, isTokens }) => Math.min(1, (isTokens ? tokens : 1) / perMinute) * MINUTE_MS,
      );
      const answer = await this.#ask(buckets, times);
      if (!answer) return undefined;
      const [delayMs, receipt] = answer;
      // What can't be given back flows in again.
      return { delayMs, giveBack: () => void answered(this.#giveBack(buckets, receipt)).catch(() => {}) };
    };
    return { reserve: (tokens) => (this.#isAnswering ? reserve(tokens) : undefined) };
  }

  /** Finds out whether Redis answers again; until then nothing is asked of it. */
  async tryAgain(): Promise<void> {
    // A bucket of nobody's, which is gone at once: Redis may answer and take no writes.
    if (!this.#isAnswering) await this.#ask([`${this.#prefix}:rate-trial`], [1]);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Undefined where there was no answer. */
  async #ask(
    buckets: readonly string[],
    times: readonly number[],
  ): Promise<[delayMs: number, receipt: string[]] | undefined> {
    const answer = await answered(this.#reserve(buckets, times)).catch(() => undefined);
    this.#isAnswering = answer !== undefined;
    clearTimeout(this.#timer);
    if (!this.#isAnswering && !this.#isClosed) {
      this.#timer = setTimeout(() => void this.tryAgain(), RETRY_MS).unref();
    }
    this.#onAnswer(this.#isAnswering);
    return answer as [number, string[]] | undefined;
  }
}
