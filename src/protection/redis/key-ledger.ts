import type { CallTook } from '../../conversation/policies/budget.ts';
import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';
import type { KeyLedger, Sums } from '../key-budgets.ts';

/** Long enough for a call that began before midnight to be settled. */
const KEPT_SECONDS = 2 * 24 * 60 * 60;

/**
 * What keys took by way of all instances: a hash for each day and key. What an instance that died had set aside stays
 * counted, so that the limit holds in any case.
 */
export class RedisKeyLedger implements KeyLedger {
  readonly #client: RedisClient;
  readonly #prefix: string;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async setAside(day: string, key: string, most: CallTook): Promise<Sums> {
    const { tokens, costUsd } = await this.#add(day, key, most.tokens, most.costUsd);
    return { tokens: tokens - most.tokens, costUsd: costUsd - most.costUsd };
  }

  settle(day: string, key: string, most: CallTook, took: CallTook): void {
    // What can't be given back stays set aside.
    this.#add(day, key, took.tokens - most.tokens, took.costUsd - most.costUsd).catch(() => {});
  }

  async close(day: string, key: string): Promise<void> {
    await answered(this.#client.hset(this.#name(day, key), 'closed', 1));
  }

  async read(day: string, key: string): Promise<Sums & { isClosed: boolean }> {
    const [tokens, costUsd, closed] = await answered(
      this.#client.hmget(this.#name(day, key), 'tokens', 'usd', 'closed'),
    );
    return { tokens: Number(tokens ?? 0), costUsd: Number(costUsd ?? 0), isClosed: Boolean(closed) };
  }

  async #add(day: string, key: string, tokens: number, costUsd: number): Promise<Sums> {
    const name = this.#name(day, key);
    const [allTokens, allUsd] = await answered(
      Promise.all([
        this.#client.hincrby(name, 'tokens', tokens),
        this.#client.hincrbyfloat(name, 'usd', costUsd),
        this.#client.expire(name, KEPT_SECONDS),
      ]),
    );
    return { tokens: allTokens, costUsd: Number(allUsd) };
  }

  #name(day: string, key: string): string {
    return `${this.#prefix}:spent:${day}:key:${key}`;
  }
}
