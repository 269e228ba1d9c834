import { answered } from '../../storage/redis/answers.ts';
import type { RedisClient } from '../../storage/redis/connection.ts';
import { TICKET_MS, type TicketStore } from '../tickets.ts';

/** The tickets of all instances on one Redis. */
export class RedisTickets implements TicketStore {
  readonly #client: RedisClient;
  readonly #prefix: string;

  constructor(client: RedisClient, prefix: string) {
    this.#client = client;
    this.#prefix = prefix;
  }

  async issue(digest: string, holder: string): Promise<void> {
    await answered(this.#client.set(this.#key(digest), holder, 'PX', TICKET_MS));
  }

  async redeem(digest: string): Promise<string | undefined> {
    return (await answered(this.#client.getdel(this.#key(digest)))) ?? undefined;
  }

  #key(digest: string): string {
    return `${this.#prefix}:ticket:${digest}`;
  }
}
