import { assertWithinDay, type DailyBudget, type Reservation } from '../conversation/policies/budget.ts';

/** Where what was spent outlives the process. Days are of UTC, `2026-01-31`. */
export interface SpendingLedger {
  spentOn(day: string): number;
  /** Never waited for: a sum that can't be noted still counts until the process ends. */
  noteSpending(day: string, usd: number): Promise<void>;
}

/** The day's money of this process; days begin at midnight UTC. */
export class LocalDailyBudget implements DailyBudget {
  readonly #limitUsd: number;
  readonly #ledger: SpendingLedger;
  readonly #now: () => Date;
  #day: string;
  /** Spent, and set aside for calls under way. */
  #committedUsd: number;

  constructor(limitUsd: number, ledger: SpendingLedger, now: () => Date) {
    this.#limitUsd = limitUsd;
    this.#ledger = ledger;
    this.#now = now;
    this.#day = dayOf(now());
    this.#committedUsd = ledger.spentOn(this.#day);
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
        if (spent > 0) this.#ledger.noteSpending(day, spent).catch(() => {});
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

function dayOf(now: Date): string {
  return now.toISOString().slice(0, 10);
}
