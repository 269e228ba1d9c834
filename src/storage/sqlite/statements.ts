import type Database from 'better-sqlite3';

/** Statements that are kept: where tables are made while the process runs, there is no end to them. */
const MOST_PREPARED = 500;

/** The statements of a connection, each prepared when it is asked for first. */
export class Statements {
  readonly database: Database.Database;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(database: Database.Database) {
    this.database = database;
  }

  all<Row>(sql: string, ...parameters: unknown[]): Row[] {
    return this.of<Row>(sql).all(...parameters);
  }

  run(sql: string, ...parameters: unknown[]): Database.RunResult {
    return this.of(sql).run(...parameters);
  }

  of<Row>(sql: string): Database.Statement<unknown[], Row> {
    let statement = this.#prepared.get(sql);
    if (!statement) {
      if (this.#prepared.size >= MOST_PREPARED) this.clear();
      statement = this.database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement as Database.Statement<unknown[], Row>;
  }

  /** To be called before a table goes away that one of them reads. */
  clear(): void {
    this.#prepared.clear();
  }
}
