import type { Place, UnplacedPassage } from '../index/placed.ts';
import { FUSED, type Meaning } from '../index/search.ts';
import type { IndexThread } from '../index/thread.ts';
import type { Most, Unembedded } from '../index/vectors.ts';
import type { VectorStore } from '../vector-store.ts';
import type { VectorDatabase } from './database.ts';

/** Vectors that are looked through at once. */
const PAGE = 1000;

const COPY = `INSERT INTO aic_vectors (space, model, hash, tenant, collection, vector)
  SELECT $1, $2, w.hash, w.tenant, w.collection, v.vector
  FROM unnest($3::bytea[], $4::text[], $5::text[]) AS w (hash, tenant, collection)
  CROSS JOIN LATERAL (SELECT vector FROM aic_vectors
    WHERE space = $1 AND model = $2 AND hash = w.hash LIMIT 1) v
  ON CONFLICT (space, model, hash, tenant, collection) DO UPDATE SET kept_at = now()
  RETURNING hash, tenant, collection`;
const KEEP = `INSERT INTO aic_vectors (space, model, hash, tenant, collection, vector)
  SELECT $1, $2, w.hash, w.tenant, w.collection, w.vector::vector
  FROM unnest($3::bytea[], $4::text[], $5::text[], $6::text[]) AS w (hash, tenant, collection, vector)
  ON CONFLICT (space, model, hash, tenant, collection) DO UPDATE SET vector = excluded.vector, kept_at = now()`;
const REMOVE = `DELETE FROM aic_vectors v USING unnest($3::bytea[], $4::text[], $5::text[]) AS w (hash, tenant, collection)
  WHERE v.space = $1 AND v.model = $2 AND v.hash = w.hash AND v.tenant = w.tenant AND v.collection = w.collection
  AND v.kept_at <= now() - make_interval(secs => $6)`;
const REMOVE_OTHERS = 'DELETE FROM aic_vectors WHERE space = $1 AND model <> $2';
// Another length can't be compared; it comes from a model that has changed under its name.
const NEAREST = `SELECT hash FROM (SELECT hash,
    CASE WHEN vector_dims(vector) = $5 THEN vector <=> $6::vector ELSE 1 END AS distance FROM aic_vectors
    WHERE space = $1 AND tenant = $2 AND collection = $3 AND model = $4) compared
  WHERE distance < 1 ORDER BY distance, hash LIMIT $7`;
const LENGTH =
  'SELECT vector_dims(vector) AS length FROM aic_vectors WHERE space = $1 AND model = $2 LIMIT 1';
const LOOK_THROUGH = `SELECT hash, tenant, collection FROM aic_vectors
  WHERE space = $1 AND model = $2 AND (hash, tenant, collection) > ($3, $4, $5)
  ORDER BY hash, tenant, collection LIMIT ${PAGE}`;

interface Options {
  /** Tells them from those of other servers in the same database; by default the file's own. */
  space?: (() => Promise<string>) | undefined;
  /** What others may have put there, and this index not know yet, is younger than this. */
  othersWithinSeconds?: number;
}

/**
 * Vectors in PostgreSQL, each under the collection that it is of. The index file notes what it has put there, so
 * that what is deleted is removed there as soon as it can be reached. What neither notes nor passages know, after a
 * process was killed at a bad moment, is looked for once in each process.
 */
export class PostgresVectors implements VectorStore {
  readonly #database: VectorDatabase;
  readonly #thread: IndexThread;
  readonly #options: Options;
  #space: Promise<string> | undefined;
  #isToBeLookedThrough = false;

  constructor(database: VectorDatabase, thread: IndexThread, options: Options) {
    this.#database = database;
    this.#thread = thread;
    this.#options = options;
  }

  async missing(model: string, most: Most, signal: AbortSignal): Promise<UnplacedPassage[]> {
    for (;;) {
      const batch = await this.#thread.ask('unplaced', [model, most], signal);
      if (batch.length === 0) return [];
      const values = [await this.#spaceOf(), model, ...columnsOf(batch)];
      const known = await this.#database.query<Place>(COPY, values, signal);
      // What stands in several collections is made once, and copied when it is asked for again.
      if (known.length === 0) return [...new Map(batch.map((each) => [keyOf(each), each])).values()];
      await this.#thread.ask('place', [model, known], signal);
    }
  }

  async keep(
    model: string,
    passages: readonly Unembedded[],
    vectors: readonly Float32Array[],
    signal: AbortSignal,
  ): Promise<void> {
    const places = passages as readonly UnplacedPassage[];
    const values = [await this.#spaceOf(), model, ...columnsOf(places), vectors.map(textOf)];
    await this.#database.query(KEEP, values, signal);
    await this.#thread.ask('place', [model, places], signal);
  }

  async tidy(model: string, signal: AbortSignal): Promise<void> {
    const space = await this.#spaceOf();
    for (;;) {
      const [first, ...others] = await this.#thread.ask('superfluous', [model, PAGE], signal);
      if (!first) break;
      const places = [first, ...others.filter((other) => other.model === first.model)];
      await this.#database.query(REMOVE, [space, first.model, ...columnsOf(places), 0], signal);
      await this.#thread.ask('displace', [first.model, places], signal);
    }
    await this.#database.query(REMOVE_OTHERS, [space, model], signal);
    if (this.#isToBeLookedThrough) await this.#lookThrough(space, model, signal);
  }

  /** The next time that all passages have vectors, what no passage has is removed. */
  lookThrough(): void {
    this.#isToBeLookedThrough = true;
  }

  async meaning(
    question: { tenant: string; collection: string; model: string; vector: Float32Array },
    signal: AbortSignal,
  ): Promise<Meaning> {
    const { tenant, collection, model, vector } = question;
    const values = [await this.#spaceOf(), tenant, collection, model, vector.length, textOf(vector), FUSED];
    const rows = await this.#database.query<{ hash: Buffer }>(NEAREST, values, signal);
    return { nearest: rows.map(({ hash }) => hash) };
  }

  async lengthOf(model: string, signal: AbortSignal): Promise<number | undefined> {
    const rows = await this.#database.query<{ length: number }>(
      LENGTH,
      [await this.#spaceOf(), model],
      signal,
    );
    return rows[0]?.length;
  }

  close(): Promise<void> {
    return this.#database.close();
  }

  async #lookThrough(space: string, model: string, signal: AbortSignal): Promise<void> {
    const age = this.#options.othersWithinSeconds ?? 0;
    let last: Place = { hash: Buffer.alloc(0), tenant: '', collection: '' };
    for (;;) {
      const { hash, tenant, collection } = last;
      const page = await this.#database.query<Place>(
        LOOK_THROUGH,
        [space, model, hash, tenant, collection],
        signal,
      );
      const unknown = await this.#thread.ask('unknown', [page], signal);
      await this.#database.query(REMOVE, [space, model, ...columnsOf(unknown), age], signal);
      const end = page.at(-1);
      if (!end || page.length < PAGE) break;
      last = end;
    }
    this.#isToBeLookedThrough = false;
  }

  #spaceOf(): Promise<string> {
    const space = (this.#space ??= this.#options.space?.() ?? this.#thread.ask('space', []));
    space.catch(() => {
      this.#space = undefined;
    });
    return space;
  }
}

/** Places as columns, for `unnest`. */
function columnsOf(places: readonly Place[]): [Buffer[], string[], string[]] {
  return [
    places.map(({ hash }) => Buffer.from(hash)),
    places.map(({ tenant }) => tenant),
    places.map(({ collection }) => collection),
  ];
}

function keyOf({ hash }: Place): string {
  return Buffer.from(hash).toString('base64');
}

function textOf(vector: Float32Array): string {
  return `[${vector.join(',')}]`;
}
