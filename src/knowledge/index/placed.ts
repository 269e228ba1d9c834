import type Database from 'better-sqlite3';
import { type Most, shortened, type Unembedded } from './vectors.ts';

/** A passage of a collection, as vectors that are kept elsewhere are told apart. */
export interface Place {
  tenant: string;
  collection: string;
  hash: Uint8Array;
}

export type UnplacedPassage = Place & Unembedded;

const IS_THERE = `EXISTS (SELECT 1 FROM passages p JOIN collections c ON c.key = p.collection
  WHERE p.hash = x.hash AND c.tenant = x.tenant AND c.name = x.collection)`;

/** What this file knows of vectors that are kept elsewhere: which are there, and which are to be removed. */
export class PlacedVectors {
  readonly #database: Database.Database;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  space(): string {
    return this.#database.prepare<[], string>('SELECT id FROM space').pluck().get() ?? '';
  }

  /** The next passages whose vectors of a model are not there. */
  unplaced(model: string, most: Most): UnplacedPassage[] {
    const rows = this.#database
      .prepare<[string, number], UnplacedPassage>(
        `SELECT c.tenant, c.name AS collection, p.hash, p.heading || char(10) || p.text AS text
         FROM passages p JOIN collections c ON c.key = p.collection
         WHERE NOT EXISTS (SELECT 1 FROM placed x
           WHERE x.tenant = c.tenant AND x.collection = c.name AND x.hash = p.hash AND x.model = ?)
         GROUP BY p.collection, p.hash LIMIT ?`,
      )
      .all(model, most.texts);
    return shortened(rows, most.characters);
  }

  /** Also what was deleted meanwhile: it is removed from there next. */
  place(model: string, places: readonly Place[]): void {
    const sql = 'INSERT OR IGNORE INTO placed (tenant, collection, hash, model) VALUES (?, ?, ?, ?)';
    this.#forEach(sql, places, model);
  }

  /** What is there and of no use: of another model, or of no passage any more. */
  superfluous(model: string, limit: number): (Place & { model: string })[] {
    return this.#database
      .prepare<[string, number], Place & { model: string }>(
        `SELECT tenant, collection, hash, model FROM placed x WHERE model <> ? OR NOT ${IS_THERE} LIMIT ?`,
      )
      .all(model, limit);
  }

  /** These are not there any more. */
  displace(model: string, places: readonly Place[]): void {
    const sql = 'DELETE FROM placed WHERE tenant = ? AND collection = ? AND hash = ? AND model = ?';
    this.#forEach(sql, places, model);
  }

  /** Those of them that no passage has. */
  unknown(places: readonly Place[]): Place[] {
    const find = this.#database
      .prepare<[Buffer, string, string], number>(
        `SELECT ${IS_THERE} FROM (SELECT ? AS hash, ? AS tenant, ? AS collection) x`,
      )
      .pluck();
    return places.filter(
      ({ tenant, collection, hash }) => find.get(Buffer.from(hash), tenant, collection) === 0,
    );
  }

  #forEach(sql: string, places: readonly Place[], model: string): void {
    const statement = this.#database.prepare(sql);
    this.#database.transaction(() => {
      for (const { tenant, collection, hash } of places) {
        statement.run(tenant, collection, Buffer.from(hash), model);
      }
    })();
  }
}
