import {
  BudgetSpentError,
  type CallMost,
  type CallTook,
  type KeyBudgets,
  type KeyReservation,
} from '../conversation/policies/budget.ts';
import { AppError } from '../errors.ts';
import type { KeyLimits } from '../protocol/keys.ts';

/** What a key has taken in a day. */
export type Sums = CallTook;

/** Where it is kept what keys take in a day (UTC, `2026-01-31`), spent and set aside. */
export interface KeyLedger {
  /** @returns what there was before */
  setAside(day: string, key: string, most: CallTook): Promise<Sums>;
  /** What was set aside is over; this much it took. Never waited for. */
  settle(day: string, key: string, most: CallTook, took: CallTook): void;
  /** From now on this key makes nothing new that day. */
  close(day: string, key: string): Promise<void>;
  read(day: string, key: string): Promise<Sums & { isClosed: boolean }>;
}

type LimitsOf = (key: string) => KeyLimits | undefined;

const NOTHING: KeyReservation = { settle: () => {} };

/** The limits of a day of each key; days begin at midnight UTC. */
export class LimitedKeyBudgets implements KeyBudgets {
  readonly #ledger: KeyLedger;
  readonly #limitsOf: LimitsOf;
  readonly #now: () => Date;

  /** @param limitsOf the limits of a key as they are now */
  constructor(ledger: KeyLedger, limitsOf: LimitsOf, now: () => Date) {
    this.#ledger = ledger;
    this.#limitsOf = limitsOf;
    this.#now = now;
  }

  async reserve(key: string, { tokens, costUsd }: CallMost): Promise<KeyReservation> {
    const { tokensPerDay, costUsdPerDay } = this.#limitsOf(key) ?? {};
    if (tokensPerDay === undefined && costUsdPerDay === undefined) return NOTHING;
    const day = this.#day();
    const most = { tokens, costUsd: costUsd ?? 0 };
    const before = await this.#ledger.setAside(day, key, most);
    const refusal =
      overTokens(before.tokens, tokens, tokensPerDay) ?? overCost(before.costUsd, costUsd, costUsdPerDay);
    if (!refusal) return { settle: (took) => this.#ledger.settle(day, key, most, took) };
    this.#ledger.settle(day, key, most, { tokens: 0, costUsd: 0 });
    await this.#ledger.close(day, key);
    throw refusal;
  }

  async assertLeft(key: string): Promise<void> {
    const { tokensPerDay, costUsdPerDay } = this.#limitsOf(key) ?? {};
    if (tokensPerDay === undefined && costUsdPerDay === undefined) return;
    const { tokens, costUsd, isClosed } = await this.#ledger.read(this.#day(), key);
    if (!isClosed && tokens < (tokensPerDay ?? Infinity) && costUsd < (costUsdPerDay ?? Infinity)) return;
    const midnight = new Date(this.#now()).setUTCHours(24, 0, 0, 0);
    throw new AppError('budget_spent', 'What this key may take in a day (UTC) is spent', {
      retryAfterSeconds: Math.ceil((midnight - this.#now().getTime()) / 1000),
    });
  }

  #day(): string {
    return this.#now().toISOString().slice(0, 10);
  }
}

function overTokens(before: number, most: number, limit = Infinity): BudgetSpentError | undefined {
  if (before + most <= limit) return undefined;
  const detail = `${before} of the key's ${limit} tokens a day are used or set aside, and the next call may take ${most}`;
  return new BudgetSpentError(detail, 'token_budget');
}

function overCost(before: number, most: number | undefined, limit?: number): BudgetSpentError | undefined {
  if (limit === undefined || (most !== undefined && before + most <= limit)) return undefined;
  const gone = Math.round(before * 1e6) / 1e6;
  const detail =
    most === undefined
      ? "the price of the model is unknown, and the key has a day's limit; MODEL_SETTINGS can give it"
      : `${gone} of the key's ${limit} US dollars a day are spent or set aside, and the next call may cost ${most}`;
  return new BudgetSpentError(detail);
}

/** Where what keys took outlives the process. */
export interface KeySpending {
  spentBy(day: string, key: string): Sums;
  /** Never waited for: a sum that can't be noted still counts until the process ends. */
  noteKeySpending(day: string, key: string, took: CallTook): Promise<void>;
}

/** What keys took by way of this process. */
export class LocalKeyLedger implements KeyLedger {
  readonly #kept: KeySpending;
  #day = '';
  #keys = new Map<string, Sums & { isClosed: boolean }>();

  constructor(kept: KeySpending) {
    this.#kept = kept;
  }

  async setAside(day: string, key: string, { tokens, costUsd }: CallTook): Promise<Sums> {
    const page = this.#page(day, key);
    const before = { ...page };
    page.tokens += tokens;
    page.costUsd += costUsd;
    return before;
  }

  settle(day: string, key: string, most: CallTook, took: CallTook): void {
    if (took.tokens > 0 || took.costUsd > 0) this.#kept.noteKeySpending(day, key, took).catch(() => {});
    // What a call took that began yesterday is on yesterday's page.
    if (day !== this.#day) return;
    const page = this.#page(day, key);
    page.tokens += took.tokens - most.tokens;
    page.costUsd += took.costUsd - most.costUsd;
  }

  async close(day: string, key: string): Promise<void> {
    this.#page(day, key).isClosed = true;
  }

  async read(day: string, key: string): Promise<Sums & { isClosed: boolean }> {
    return this.#page(day, key);
  }

  #page(day: string, key: string): Sums & { isClosed: boolean } {
    if (day !== this.#day) {
      this.#day = day;
      this.#keys = new Map();
    }
    const page = this.#keys.get(key) ?? { ...this.#kept.spentBy(day, key), isClosed: false };
    this.#keys.set(key, page);
    return page;
  }
}
