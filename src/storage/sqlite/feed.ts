import type Database from 'better-sqlite3';
import type { ConversationFeed, FeedEntry, FeedPage } from '../../conversation/log/feed.ts';
import { markOfEntry } from '../../conversation/log/mark.ts';
import { FeedWaiters } from '../feed-waiters.ts';

/** Removals that are remembered: about 100 bytes each. A reader that is further behind looks at the catalog. */
export const REMOVALS_KEPT = 10_000;

/** The last key that was given: to an event, or to what no event tells. */
export const LAST_KEY = `SELECT max(ifnull((SELECT max(key) FROM events), 0), (SELECT max(key) FROM feed))`;

interface Row {
  key: number;
  kind: string;
  tenant: string;
  id: string;
  seq: number;
}

/** The feed of one process: the events' own rows in the order of their keys, and between them the removals. */
export class SqliteFeed implements ConversationFeed {
  readonly #end: Database.Statement<[], number>;
  readonly #oldest: Database.Statement<[], number>;
  readonly #event: Database.Statement<[number], { type: string; json: string }>;
  readonly #rows: Database.Statement<unknown[], Row>;
  readonly #waiters = new FeedWaiters();

  constructor(database: Database.Database) {
    this.#end = database.prepare<[], number>(LAST_KEY).pluck();
    this.#oldest = database.prepare<[], number>('SELECT min(key) FROM feed').pluck();
    this.#event = database.prepare('SELECT type, json FROM events WHERE key = ?');
    this.#rows = database.prepare<unknown[], Row>(
      `SELECT * FROM (
         SELECT e.key, 'grown' AS kind, c.tenant, c.id, e.seq
         FROM events e CROSS JOIN conversations c ON c.key = e.conversation
         WHERE e.key > :key ORDER BY e.key LIMIT :limit)
       UNION ALL
       SELECT * FROM (SELECT key, kind, tenant, id, 0 FROM feed WHERE key > :key ORDER BY key LIMIT :limit)
       ORDER BY 1 LIMIT :limit`,
    );
  }

  async read(after: string, limit: number): Promise<FeedPage> {
    const key = this.#keyOf(after);
    if (key === undefined) return { entries: [], cursor: await this.end(), behind: true };
    const rows = this.#rows.all({ key, limit });
    const last = rows.at(-1);
    return { entries: entriesOf(rows), cursor: last ? this.#cursorAt(last.key) : after, behind: false };
  }

  async end(): Promise<string> {
    return this.#cursorAt(this.#end.get() ?? 0);
  }

  async more(after: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (after === this.#cursorAt(this.#end.get() ?? 0)) await this.#waiters.wait(signal);
  }

  /** There is more. */
  grew(): void {
    this.#waiters.wake();
  }

  /** With the mark of the event there, where there is one: keys of another history have others. */
  #cursorAt(key: number): string {
    const event = this.#event.get(key);
    return event ? `${key}-${markOfEntry(event)}` : `${key}`;
  }

  /** Undefined where what follows on a cursor can't be told. */
  #keyOf(cursor: string): number | undefined {
    const [, digits, mark] = /^(\d{1,15})(?:-([\da-f]{8}))?$/.exec(cursor) ?? [];
    if (digits === undefined) return undefined;
    const key = Number(digits);
    if (key < (this.#oldest.get() ?? 0) - 1 || key > (this.#end.get() ?? 0)) return undefined;
    const event = this.#event.get(key);
    // One that is not there any more was removed.
    return event && markOfEntry(event) !== mark ? undefined : key;
  }
}

/** What stands together of one conversation is one entry. */
function entriesOf(rows: readonly Row[]): FeedEntry[] {
  const entries: FeedEntry[] = [];
  for (const { kind, tenant, id, seq } of rows) {
    const last = entries.at(-1);
    if (kind !== 'grown') entries.push({ kind, tenant, id } as FeedEntry);
    else if (last?.kind === 'grown' && last.id === id && last.seq === seq - 1) last.seq = seq;
    else entries.push({ kind, tenant, id, from: seq, seq });
  }
  return entries;
}
