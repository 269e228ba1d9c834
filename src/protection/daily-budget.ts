import { assertWithinDay, type DailyBudget, type Reservation } from '../conversation/policies/budget.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** The day's money of this process; days begin at midnight UTC. */
export class LocalDailyBudget implements DailyBudget {
  readonly #limitUsd: number;
  readonly #now: () => Date;
  #day: number;
  /** Spent, and set aside for calls under way. */
  #committedUsd: number;

  /** @param spentUsd what the log says of today */
  constructor(limitUsd: number, spentUsd: number, now: () => Date) {
    this.#limitUsd = limitUsd;
    this.#committedUsd = spentUsd;
    this.#now = now;
    this.#day = dayOf(now());
  }

  async committed(): Promise<number> {
    this.#turnPage();
    return this.#committedUsd;
  }

  async reserve(usd: number | undefined): Promise<Reservation> {
    this.#turnPage();
    assertWithinDay(this.#committedUsd, usd, this.#limitUsd);
    const day = this.#day;
    this.#committedUsd += usd;
    return {
      settle: (spent) => {
        // What a call cost that began yesterday is on yesterday's page.
        if (day === this.#day) this.#committedUsd += spent - usd;
      },
    };
  }

  #turnPage(): void {
    const today = dayOf(this.#now());
    if (today === this.#day) return;
    this.#day = today;
    this.#committedUsd = 0;
  }
}

/** The beginning of a day, in UTC. */
export function startOfDay(now: Date): Date {
  return new Date(dayOf(now) * DAY_MS);
}

function dayOf(now: Date): number {
  return Math.floor(now.getTime() / DAY_MS);
}
