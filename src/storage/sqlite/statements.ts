import type Database from 'better-sqlite3';

/** The statements of a connection, each prepared when it is asked for first. */
export class Statements {
  readonly database: Database.Database;
  readonly #prepared = new Map<string, Database.Statement>();

  constructor(database: Database.Database) {
    this.database = database;
  }

  all<Row>(sql: string, ...parameters: (string | number)[]): Row[] {
    return this.of<Row>(sql).all(...parameters);
  }

  of<Row>(sql: string): Database.Statement<unknown[], Row> {
    let statement = this.#prepared.get(sql);
    if (!statement) {
      statement = this.database.prepare(sql);
      this.#prepared.set(sql, statement);
    }
    return statement as Database.Statement<unknown[], Row>;
  }
}
