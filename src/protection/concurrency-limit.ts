/**
 * How many calls may be under way at once, found out as TCP finds its window (RFC 5681): doubled with each
 * round until the vendor says that it is too much, then halved, and from there one more a round. Calls that
 * began before a halving don't halve again: what they met was the old limit.
 */
export class ConcurrencyLimit {
  readonly #initial: number;
  readonly #maximum: number;
  #limit: number;
  /** Below it the limit doubles, above it it creeps. */
  #threshold = Infinity;
  #taken = 0;
  #nextTicket = 0;
  #firstTicketSinceCut = 0;

  constructor({ initial, maximum }: { initial: number; maximum: number }) {
    this.#initial = Math.min(initial, maximum);
    this.#maximum = maximum;
    this.#limit = this.#initial;
  }

  get limit(): number {
    return Math.floor(this.#limit);
  }

  get taken(): number {
    return this.#taken;
  }

  get hasRoom(): boolean {
    return this.#taken < this.limit;
  }

  /** Gives the ticket that names this call. */
  take(): number {
    this.#taken++;
    return this.#nextTicket++;
  }

  free(): void {
    this.#taken--;
  }

  /** Before `free`: only a limit that is used up was proven by a success. */
  succeeded(ticket: number): void {
    if (ticket < this.#firstTicketSinceCut || this.hasRoom) return;
    const step = this.#limit < this.#threshold ? 1 : 1 / this.#limit;
    this.#limit = Math.min(this.#maximum, this.#limit + step);
  }

  /** The vendor said that it is too much, or let it wait for too long: it is what is under way that is halved. */
  refused(ticket: number): void {
    if (ticket < this.#firstTicketSinceCut) return;
    this.#firstTicketSinceCut = this.#nextTicket;
    this.#limit = Math.max(1, Math.min(this.#limit, this.#taken) / 2);
    this.#threshold = this.#limit;
  }

  /** After an outage: back to where it was, but not with all at once. */
  restart(): void {
    this.#threshold = Math.min(this.#threshold, Math.max(this.#limit, this.#initial));
    this.#limit = Math.min(this.#limit, this.#initial);
  }
}
