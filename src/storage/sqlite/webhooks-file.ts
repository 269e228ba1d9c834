import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { Statements } from './statements.ts';

const SCHEMA = new URL('./webhooks.sql', import.meta.url);

/** The file of webhooks, and what is asked of it. */
export class WebhooksFile {
  readonly #database: Database.Database;
  readonly #statements: Statements;
  /** What is to be committed, each of which then gives what tells who waits for it. */
  readonly #waiting: { work: () => () => void; reject: (error: unknown) => void }[] = [];

  /** @param path of a folder that this process holds */
  constructor(path: string) {
    this.#database = new Database(path);
    this.#database.pragma('journal_mode = WAL');
    this.#database.pragma('synchronous = NORMAL');
    this.#database.pragma('secure_delete = ON');
    this.#database.exec(readFileSync(SCHEMA, 'utf8'));
    // Whose hands these were is no more: one process holds the folder.
    this.#database.exec(
      'UPDATE places SET hand = NULL, due = 0 WHERE hand IS NOT NULL; UPDATE feed SET until = 0',
    );
    this.#statements = new Statements(this.#database);
  }

  close(): void {
    this.#commit();
    this.#database.close();
  }

  /** As one, and on disk when it is done: what a client was told is kept also without power. */
  durably<T>(work: () => T): T {
    this.#database.pragma('synchronous = FULL');
    try {
      return this.together(work);
    } finally {
      this.#database.pragma('synchronous = NORMAL');
    }
  }

  together<T>(work: () => T): T {
    return this.#database.transaction(work)();
  }

  /** As one with all that is asked for in the same round of the event loop: where much is told, they share its pages. */
  shared<T>(work: () => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#waiting.length === 0) setImmediate(() => this.#commit());
    this.#waiting.push({
      work: () => {
        const result = work();
        return () => resolve(result);
      },
      reject,
    });
    return promise;
  }

  #commit(): void {
    const waiting = this.#waiting.splice(0);
    if (waiting.length === 0) return;
    try {
      const done = this.together(() => waiting.map(({ work }) => work()));
      for (const tell of done) tell();
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }

  /** @returns how many rows it changed */
  run(sql: string, ...values: unknown[]): number {
    return this.#statements.of(sql).run(...values).changes;
  }

  get(sql: string, ...values: unknown[]): unknown {
    return this.#statements.of(sql).get(...values);
  }

  all(sql: string, ...values: unknown[]): unknown[] {
    return this.#statements.of(sql).all(...values);
  }

  /** The column of that name of all rows. */
  json(sql: string, ...values: unknown[]): string[] {
    return (this.all(sql, ...values) as { json: string }[]).map(({ json }) => json);
  }
}
