import { getLoadablePath } from '@photostructure/sqlite-vec';
import type Database from 'better-sqlite3';

/** Passages whose vectors are to be made, and what is made of them. */
export interface Unembedded {
  hash: Uint8Array;
  text: string;
}

/** How many texts at once, and how many characters together. */
export interface Most {
  texts: number;
  characters: number;
}

/** As many of the first as have so many characters together; one at least. */
export function shortened<Row extends { text: string }>(rows: Row[], most: number): Row[] {
  let characters = 0;
  const tooMuch = rows.findIndex(({ text }, index) => (characters += text.length) > most && index > 0);
  return tooMuch < 0 ? rows : rows.slice(0, tooMuch);
}

/** The vectors of passages, beside them in the same file. */
export class VectorTable {
  readonly #database: Database.Database;
  #isLoaded = false;

  constructor(database: Database.Database) {
    this.#database = database;
  }

  /** The next passages without a vector of a model; different ones, so many and so long at most. */
  withoutVectors(model: string, most: Most): Unembedded[] {
    const rows = this.#database
      .prepare<[string, number], Unembedded>(
        `SELECT hash, heading || char(10) || text AS text FROM passages p
         WHERE NOT EXISTS (SELECT 1 FROM vectors v WHERE v.hash = p.hash AND v.model = ?)
         GROUP BY hash LIMIT ?`,
      )
      .all(model, most.texts);
    return shortened(rows, most.characters);
  }

  keepVectors(model: string, vectors: readonly { hash: Uint8Array; vector: Float32Array }[]): void {
    const insert = this.#database.prepare(
      // What was deleted meanwhile is to leave no trace.
      `INSERT OR REPLACE INTO vectors (hash, model, vector)
       SELECT ?, ?, ? WHERE EXISTS (SELECT 1 FROM passages WHERE hash = ?)`,
    );
    this.#database.transaction(() => {
      for (const { hash, vector } of vectors) {
        const key = Buffer.from(hash);
        insert.run(key, model, bytesOf(vector), key);
      }
    })();
  }

  /** Vectors of other models are of no use. */
  dropVectorsBut(model: string): void {
    this.#database.prepare('DELETE FROM vectors WHERE model <> ?').run(model);
  }

  /** How many numbers those of a model have; undefined where there are none. */
  lengthOf(model: string): number | undefined {
    return this.#database
      .prepare<[number, string], number>('SELECT length(vector) / ? FROM vectors WHERE model = ? LIMIT 1')
      .pluck()
      .get(Float32Array.BYTES_PER_ELEMENT, model);
  }

  /**
   * The keys of the nearest passages of a collection, by cosine; those that have nothing in common with the question, or
   * vectors of another length, are none.
   */
  nearest(collection: number, model: string, vector: Float32Array, limit: number): number[] {
    if (!this.#isLoaded) this.#database.loadExtension(getLoadablePath());
    this.#isLoaded = true;
    const bytes = bytesOf(vector);
    return this.#database
      .prepare<[Buffer, string, number, number, number], number>(
        `SELECT key FROM (
           SELECT p.key, vec_distance_cosine(v.vector, ?) AS distance
           FROM passages p JOIN vectors v ON v.hash = p.hash AND v.model = ?
           WHERE p.collection = ? AND length(v.vector) = ?)
         WHERE distance < 1 ORDER BY distance, key LIMIT ?`,
      )
      .pluck()
      .all(bytes, model, collection, bytes.length, limit);
  }

  /** The keys of passages of a collection that are nearest by what was asked elsewhere, in that order. */
  keysOf(collection: number, hashes: readonly Uint8Array[]): number[] {
    const find = this.#database
      .prepare<[Buffer, number], number>(
        'SELECT key FROM passages WHERE hash = ? AND collection = ? ORDER BY key',
      )
      .pluck();
    return hashes.flatMap((hash) => find.all(Buffer.from(hash), collection));
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
