import { readFileSync } from 'node:fs';
import type { Pool, PoolConfig } from 'pg';

const SCHEMA = new URL('./schema.sql', import.meta.url);
/** Any number that nobody else locks: "aicv" in ASCII. */
const LOCK = 0x61696376;
const CONNECTIONS = 4;
/** How long a connection, and how long an answer may take, in milliseconds. */
const [CONNECT_MS, ANSWER_MS] = [3000, 10_000];

/** A database of PostgreSQL with pgvector. It is connected to, and its driver loaded, when it is first asked. */
export class VectorDatabase {
  readonly #options: PoolConfig;
  #pool: Promise<Pool> | undefined;

  /** @param url `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with what libpq's URLs have as `?sslmode=` */
  constructor(url: string) {
    this.#options = {
      connectionString: url,
      application_name: 'ai-conversation-platform',
      max: CONNECTIONS,
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ANSWER_MS,
      statement_timeout: ANSWER_MS,
      allowExitOnIdle: true,
    };
  }

  /** @throws Error where it can't be reached, has no pgvector or refuses; the signal's reason */
  async query<Row>(sql: string, values: unknown[], signal: AbortSignal): Promise<Row[]> {
    signal.throwIfAborted();
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort);
    try {
      return await Promise.race([this.#query<Row>(sql, values), aborted.promise]);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  async close(): Promise<void> {
    const opening = this.#pool;
    this.#pool = undefined;
    const pool = await opening?.catch(() => undefined);
    await pool?.end();
  }

  async #query<Row>(sql: string, values: unknown[]): Promise<Row[]> {
    const opening = (this.#pool ??= this.#open());
    // Another time it may work.
    opening.catch(() => {
      if (this.#pool === opening) this.#pool = undefined;
    });
    const { rows } = await (await opening).query(sql, values);
    return rows as Row[];
  }

  async #open(): Promise<Pool> {
    const { default: pg } = await import('pg');
    const pool = new pg.Pool(this.#options);
    // Of a connection that nobody uses: the next question opens another one.
    pool.on('error', () => {});
    try {
      // Two that make the same at the same time fail, `IF NOT EXISTS` or not.
      await pool.query(
        `BEGIN; SELECT pg_advisory_xact_lock(${LOCK}); CREATE EXTENSION IF NOT EXISTS vector;
         ${readFileSync(SCHEMA, 'utf8')} COMMIT`,
      );
    } catch (error) {
      await pool.end();
      throw error;
    }
    return pool;
  }
}
