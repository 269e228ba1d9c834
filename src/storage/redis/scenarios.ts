import type { Scenario } from '../../conversation/scenarios/built-in.ts';
import { MOST_SCENARIOS, type ScenarioStore } from '../../conversation/scenarios/store.ts';
import { answered } from './answers.ts';
import type { RedisClient } from './connection.ts';

/** The scenarios that tenants keep of their own: a hash for each tenant, by name. */
export class RedisScenarios implements ScenarioStore {
  readonly #client: RedisClient;
  readonly #prefix: string;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async get(tenant: string, name: string): Promise<Scenario | undefined> {
    const json = await answered(this.#client.hget(this.#key(tenant), name));
    return json === null ? undefined : (JSON.parse(json) as Scenario);
  }

  async list(tenant: string): Promise<Scenario[]> {
    const all = await answered(this.#client.hvals(this.#key(tenant)));
    return all
      .map((json) => JSON.parse(json) as Scenario)
      .sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  async put(tenant: string, scenario: Scenario): Promise<'created' | 'replaced' | 'full'> {
    const key = this.#key(tenant);
    // Those who come at the same moment may exceed the limit by as many as they are.
    const kept = await answered(this.#client.hlen(key));
    if (kept >= MOST_SCENARIOS && (await answered(this.#client.hexists(key, scenario.name))) === 0) {
      return 'full';
    }
    const added = await answered(this.#client.hset(key, scenario.name, JSON.stringify(scenario)));
    return added === 1 ? 'created' : 'replaced';
  }

  async delete(tenant: string, name: string): Promise<boolean> {
    return (await answered(this.#client.hdel(this.#key(tenant), name))) === 1;
  }

  #key(tenant: string): string {
    return `${this.#prefix}:scenarios:${tenant}`;
  }
}
