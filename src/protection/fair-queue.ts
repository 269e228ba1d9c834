/** Who waits: for a tenant, and in a lane. */
interface Waiting<Lane> {
  readonly tenant: string;
  readonly lane: Lane;
}

/**
 * Those who wait for an account, served by turns between tenants and in the order of coming within one. Who can't
 * be served yet because of its lane holds up nobody in another lane.
 */
export class FairQueue<Lane, Waiter extends Waiting<Lane>> {
  /** The tenant whose turn is next comes first. */
  readonly #tenants = new Map<string, Map<Lane, Map<Waiter, number>>>();
  /** How many wait in each lane. */
  readonly #lanes = new Map<Lane, number>();
  #comings = 0;

  get isEmpty(): boolean {
    return this.#lanes.size === 0;
  }

  /** Gives whether somebody of the same tenant waits in the same lane already. */
  add(waiter: Waiter): boolean {
    const { tenant, lane } = waiter;
    const lanes = this.#tenants.get(tenant) ?? new Map<Lane, Map<Waiter, number>>();
    const before = lanes.get(lane);
    const waiters = before ?? new Map<Waiter, number>();
    waiters.set(waiter, this.#comings++);
    lanes.set(lane, waiters);
    this.#tenants.set(tenant, lanes);
    this.#lanes.set(lane, (this.#lanes.get(lane) ?? 0) + 1);
    return before !== undefined;
  }

  delete(waiter: Waiter): void {
    const { tenant, lane } = waiter;
    const lanes = this.#tenants.get(tenant);
    const waiters = lanes?.get(lane);
    if (!waiters?.delete(waiter)) return;
    if (waiters.size === 0) lanes?.delete(lane);
    if (lanes?.size === 0) this.#tenants.delete(tenant);
    const left = (this.#lanes.get(lane) ?? 0) - 1;
    if (left > 0) this.#lanes.set(lane, left);
    else this.#lanes.delete(lane);
  }

  /** Whose turn it is, of those whose lanes are not shut. */
  next(isShut: (lane: Lane) => boolean): Waiter | undefined {
    const open = new Set([...this.#lanes.keys()].filter((lane) => !isShut(lane)));
    if (open.size === 0) return undefined;
    for (const lanes of this.#tenants.values()) {
      let first: [Waiter, number] | undefined;
      for (const [lane, waiters] of lanes) {
        if (!open.has(lane)) continue;
        const [entry] = waiters;
        if (entry && (!first || entry[1] < first[1])) first = entry;
      }
      if (first) return first[0];
    }
    return undefined;
  }

  /** A tenant has had its turn. */
  served(tenant: string): void {
    const lanes = this.#tenants.get(tenant);
    if (!lanes) return;
    this.#tenants.delete(tenant);
    this.#tenants.set(tenant, lanes);
  }
}
