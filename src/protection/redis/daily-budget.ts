import { assertWithinDay, type DailyBudget, type Reservation } from '../../conversation/policies/budget.ts';
import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';

/** Long enough for a call that began before midnight to be settled. */
const KEPT_SECONDS = 2 * 24 * 60 * 60;

/**
 * The day's money of all instances, as one number in Redis; days begin at midnight UTC. What an instance that
 * died had set aside stays counted, so that the limit holds in any case.
 */
export class RedisDailyBudget implements DailyBudget {
  readonly #parts: { client: RedisClient; prefix: string; limitUsd: number; now: () => Date };

  constructor(parts: { client: RedisClient; prefix: string; limitUsd: number; now: () => Date }) {
    this.#parts = parts;
  }

  /** @throws AppError `overloaded` where Redis doesn't answer: without it nobody knows what is left */
  async reserve(usd: number | undefined): Promise<Reservation> {
    const { client, limitUsd } = this.#parts;
    const key = this.#key();
    const add = async (change: number): Promise<number> => {
      const total = Number(await answered(client.incrbyfloat(key, change)));
      // Only once a day's key is new.
      if (total === change) await answered(client.expire(key, KEPT_SECONDS));
      return total;
    };
    // What nobody knows the price of adds nothing, and is refused.
    const committed = (await add(usd ?? 0)) - (usd ?? 0);
    try {
      assertWithinDay(committed, usd, limitUsd);
    } catch (refusal) {
      await add(-(usd ?? 0));
      throw refusal;
    }
    return {
      settle: (spent) => {
        // What can't be given back stays set aside.
        add(spent - usd).catch(() => {});
      },
    };
  }

  async committed(): Promise<number> {
    return Number((await answered(this.#parts.client.get(this.#key()))) ?? 0);
  }

  #key(): string {
    const { prefix, now } = this.#parts;
    return `${prefix}:spent:${now().toISOString().slice(0, 10)}`;
  }
}
