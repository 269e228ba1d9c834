import type Database from 'better-sqlite3';
import type { WriteOperation } from './operations.ts';

/** What calls have cost, by days (UTC, `2026-01-31`), as far as it was noted: for budgets that outlive a process. */
export class SqliteSpending {
  readonly #spentOn: Database.Statement<[string], { usd: number }>;
  readonly #spentBy: Database.Statement<[string, string], { tokens: number; costUsd: number }>;
  readonly #submit: (operation: WriteOperation) => Promise<unknown>;

  constructor(database: Database.Database, submit: (operation: WriteOperation) => Promise<unknown>) {
    this.#spentOn = database.prepare('SELECT cost_usd AS usd FROM spending WHERE day = ?');
    this.#spentBy = database.prepare(
      'SELECT tokens, cost_usd AS costUsd FROM key_spending WHERE day = ? AND key = ?',
    );
    this.#submit = submit;
  }

  /** US dollars of all calls of a day. */
  spentOn(day: string): number {
    return this.#spentOn.get(day)?.usd ?? 0;
  }

  async noteSpending(day: string, usd: number): Promise<void> {
    await this.#submit({ kind: 'spent', day, usd });
  }

  /** What calls of a key's conversations have taken on a day. */
  spentBy(day: string, key: string): { tokens: number; costUsd: number } {
    return this.#spentBy.get(day, key) ?? { tokens: 0, costUsd: 0 };
  }

  async noteKeySpending(
    day: string,
    key: string,
    { tokens, costUsd }: { tokens: number; costUsd: number },
  ): Promise<void> {
    await this.#submit({ kind: 'key spent', day, key, tokens, usd: costUsd });
  }
}
