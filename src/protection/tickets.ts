import { AppError } from '../errors.ts';

/** How long a ticket opens something, in milliseconds. */
export const TICKET_MS = 60_000;
/** So many may be out at once in one process. */
const MOST_TICKETS = 100_000;

/** PORT: what is good for once, and for a minute, on any instance. */
export interface TicketStore {
  /**
   * Keeps what a ticket stands for.
   *
   * @param digest of the ticket, which is itself kept nowhere
   * @throws AppError `overloaded`
   */
  issue(digest: string, holder: string): Promise<void>;
  /** What a ticket stands for, once; undefined ever after, and where there is none. */
  redeem(digest: string): Promise<string | undefined>;
}

/** The tickets of one process. */
export class LocalTickets implements TicketStore {
  /** In the order of their issue, which is that of their end. */
  readonly #tickets = new Map<string, { holder: string; until: number }>();
  readonly #now: () => number;

  /** @param now in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  async issue(digest: string, holder: string): Promise<void> {
    const now = this.#now();
    for (const [old, { until }] of this.#tickets) {
      if (until > now) break;
      this.#tickets.delete(old);
    }
    if (this.#tickets.size >= MOST_TICKETS) {
      throw new AppError('overloaded', 'Too many tickets are out', { retryAfterSeconds: TICKET_MS / 1000 });
    }
    this.#tickets.set(digest, { holder, until: now + TICKET_MS });
  }

  async redeem(digest: string): Promise<string | undefined> {
    const ticket = this.#tickets.get(digest);
    this.#tickets.delete(digest);
    return ticket && ticket.until > this.#now() ? ticket.holder : undefined;
  }
}
