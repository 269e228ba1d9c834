/**
 * Keeps the changes that take several steps in the order of their asking. A change of one step needs no keeping:
 * what is sent to one connection is done in order.
 */
export class AskingOrder {
  readonly #underWay = new Map<string, Set<Promise<unknown>>>();

  /**
   * Makes a change after all that are under way in the lanes it waits for; at once where there are none.
   *
   * @param joins the lanes in which others may wait for it
   */
  run<T>(
    { joins, waitsFor }: { joins: readonly string[]; waitsFor: readonly string[] },
    change: () => Promise<T>,
  ): Promise<T> {
    const earlier = waitsFor.flatMap((lane) => [...(this.#underWay.get(lane) ?? [])]);
    const made = earlier.length === 0 ? change() : Promise.allSettled(earlier).then(change);
    if (joins.length === 0) return made;
    for (const lane of joins) this.#enter(lane, made);
    const leave = (): void => {
      for (const lane of joins) this.#leave(lane, made);
    };
    made.then(leave, leave);
    return made;
  }

  #enter(lane: string, change: Promise<unknown>): void {
    const changes = this.#underWay.get(lane);
    if (changes) changes.add(change);
    else this.#underWay.set(lane, new Set([change]));
  }

  #leave(lane: string, change: Promise<unknown>): void {
    const changes = this.#underWay.get(lane);
    changes?.delete(change);
    if (changes?.size === 0) this.#underWay.delete(lane);
  }
}
