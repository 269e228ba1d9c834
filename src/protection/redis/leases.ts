import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';
import { defineScript, type Script } from '../../storage/redis/scripts.ts';
import type { Lease, LeaseStore } from '../leases.ts';

/** How long a lease holds that nobody renews: what an instance had that was killed. */
const LEASE_MS = 60_000;
const RENEW_MS = LEASE_MS / 3;

/** What all instances on one Redis have in use together. */
export class RedisLeases implements LeaseStore {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #take: Script;
  /** Those of this instance. */
  readonly #held = new Map<object, { key: string; name: string }>();
  readonly #renewal: NodeJS.Timeout;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
    this.#take = defineScript(client, 'lease_take', new URL('./scripts/take-lease.lua', import.meta.url));
    this.#renewal = setInterval(() => {
      for (const { key, name } of this.#held.values()) {
        // It is held already, so no limit is asked for. What can't be renewed now is, the next time.
        answered(this.#take([key], [name, Number.MAX_SAFE_INTEGER, LEASE_MS])).catch(() => {});
      }
    }, RENEW_MS).unref();
  }

  async take(what: string, name: string, limit: number): Promise<Lease | undefined> {
    const key = `${this.#prefix}:leases:${what}`;
    if ((await answered(this.#take([key], [name, limit, LEASE_MS]))) !== 1) return undefined;
    const lease: Lease = {
      release: () => {
        if (!this.#held.delete(lease)) return;
        // What can't be given back ends by itself.
        answered(this.#client.zrem(key, name)).catch(() => {});
      },
    };
    this.#held.set(lease, { key, name });
    return lease;
  }

  close(): void {
    clearInterval(this.#renewal);
    this.#held.clear();
  }
}
