/** PORT: how much of something is in use at once, on all instances together, whatever becomes of one of them. */
export interface LeaseStore {
  /**
   * Takes one of `limit`; undefined where all are taken. Taking again under the same name is having it once.
   *
   * @param what is limited: leases of the same are counted together
   * @param name of the lease
   * @throws AppError `overloaded` where nobody knows
   */
  take(what: string, name: string, limit: number): Promise<Lease | undefined>;
}

export interface Lease {
  /** Gives it back; a second time does nothing. */
  release(): void;
}

/** What one process has in use. */
export class LocalLeases implements LeaseStore {
  readonly #taken = new Map<string, Set<string>>();

  async take(what: string, name: string, limit: number): Promise<Lease | undefined> {
    const names = this.#taken.get(what) ?? new Set();
    if (!names.has(name) && names.size >= limit) return undefined;
    this.#taken.set(what, names.add(name));
    return {
      release: () => {
        if (names.delete(name) && names.size === 0 && this.#taken.get(what) === names) {
          this.#taken.delete(what);
        }
      },
    };
  }
}
