import { setTimeout as delay } from 'node:timers/promises';
import type Database from 'better-sqlite3';
import type { TenantScope } from '../../conversation/log/log.ts';
import { readDetails } from '../../conversation/log/record.ts';
import type { MessageQuery, MessageSearch, SearchPage } from '../../conversation/search/search.ts';
import { MessageIndex } from '../search/message-index.ts';
import {
  type FoundMessage,
  type IndexedMessages,
  type MessageFilter,
  RankedSearch,
} from '../search/ranked-search.ts';
import type { Beginnings } from './beginnings.ts';
import { INDEXED_AT_ONCE } from './message-words.ts';
import type { WriteOperation, WriteResult } from './operations.ts';
import { toMessage } from './records.ts';

type Submit = (operation: Extract<WriteOperation, { kind: 'index' | 'tidy' }>) => Promise<WriteResult>;

/** An index that is further behind isn't waited for: about 100 ms of work. */
const MOST_WAITED_FOR = 8 * INDEXED_AT_ONCE;
const RETRY_AFTER_MS = 1000;

/**
 * The search of the embedded storage. Its index follows the log: many messages at a time, and before each search, so
 * that whatever was appended is found.
 */
export class SqliteSearch implements MessageSearch {
  readonly #submit: Submit;
  readonly #ranked: RankedSearch;
  readonly #isUntidy: Database.Statement;
  readonly #span: Database.Statement<[], { done: number; newest: number }>;
  /** Messages since the index was last brought on. */
  #pending = 0;
  #isFollowing = false;
  #isClosed = false;
  readonly #isReading: boolean;

  /** @param submit has the writer do it */
  constructor(database: Database.Database, beginnings: Beginnings, submit: Submit) {
    this.#submit = submit;
    this.#ranked = new RankedSearch(new MessageIndex(database), messagesIn(database, beginnings));
    this.#isUntidy = database.prepare(
      `SELECT 1 FROM message_parts WHERE tidying > 0
       UNION ALL SELECT 1 FROM search_leftovers WHERE name > ''`,
    );
    this.#span = database.prepare(
      'SELECT (SELECT done FROM search_progress) AS done, (SELECT ifnull(max(key), 0) FROM events) AS newest',
    );
    // Who only reads brings nothing on.
    this.#isReading = database.readonly;
    if (!this.#isReading) this.#follow(0);
  }

  /** Told how many messages were committed. */
  appended(messages: number): void {
    this.#pending += messages;
    if (this.#pending >= INDEXED_AT_ONCE) this.#follow(INDEXED_AT_ONCE);
  }

  async search(
    tenant: TenantScope,
    query: MessageQuery,
    page: { limit: number; cursor?: string | undefined },
    signal?: AbortSignal,
  ): Promise<SearchPage> {
    const { newest } = this.#read();
    const isIncomplete = this.#behind(newest) > (this.#isReading ? 0 : MOST_WAITED_FOR);
    if (this.#isReading) return { ...(await this.#ranked.search(tenant, query, page, signal)), isIncomplete };
    if (isIncomplete) this.#follow(0);
    else while (this.#behind(newest) > 0) await this.#submit({ kind: 'index' });
    return { ...(await this.#ranked.search(tenant, query, page, signal)), isIncomplete };
  }

  /** Fulfilled when no trace is left of what was removed. */
  async tidied(): Promise<void> {
    while (!this.#isClosed && (await this.#submit({ kind: 'tidy' })).outcome !== 'tidied');
  }

  /** The last messages go to the index, for whoever reads the file without bringing it on. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const behind = this.#behind(Infinity);
    if (this.#isReading || behind <= 0 || behind > MOST_WAITED_FOR) return;
    for (let left = behind; left > 0; left -= INDEXED_AT_ONCE)
      this.#submit({ kind: 'index' }).catch(() => {});
  }

  #read(): { done: number; newest: number } {
    return this.#span.get() ?? { done: 0, newest: 0 };
  }

  /** By how many events; what was removed meanwhile is not waited for. */
  #behind(key: number): number {
    const { done, newest } = this.#read();
    return Math.min(key, newest) - done;
  }

  /** @param leave events that may be left for later, when there are more of them */
  #follow(leave: number): void {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    void this.#followOn(leave);
  }

  async #followOn(leave: number): Promise<void> {
    while (!this.#isClosed && this.#behind(Infinity) > leave) {
      this.#pending = 0;
      // A full disk may be mended; whoever searches meanwhile is told.
      await this.#submit({ kind: 'index' }).catch(() => delay(RETRY_AFTER_MS, undefined, { ref: false }));
    }
    // Parts that are full; or a process before this one was ended within a removal.
    if (!this.#isClosed && this.#isUntidy.get()) await this.tidied().catch(() => {});
    this.#isFollowing = false;
  }
}

interface FoundRow {
  key: number;
  json: string;
  conversation: number;
  id: string;
  tenant: string;
  details: string | null;
}

function messagesIn(database: Database.Database, beginnings: Beginnings): IndexedMessages {
  const newest = database.prepare<[], number>('SELECT done FROM search_progress').pluck();
  const tenants = database.prepare<[], string>('SELECT DISTINCT tenant FROM conversations').pluck();
  const byKey = `FROM json_each(?) CROSS JOIN events e ON e.key = json_each.value AND e.type = 'message'
    CROSS JOIN conversations c ON c.key = e.conversation`;
  const read = database.prepare<[string], FoundRow>(
    `SELECT e.key, e.json, c.key AS conversation, c.id, c.tenant, c.details ${byKey}`,
  );
  return {
    newestKey: () => newest.get() ?? 0,
    tenants: () => tenants.all(),
    filter(keys, filter) {
      const { where, parameters } = conditionsOf(filter);
      const sql = `SELECT e.key ${byKey} WHERE ${where.join(' AND ')}`;
      return new Set(
        database
          .prepare<string[], number>(sql)
          .pluck()
          .all(JSON.stringify(keys), ...parameters),
      );
    },
    async read(keys) {
      const rows = read.all(JSON.stringify(keys));
      const begun = beginnings.of(rows.map(({ id, conversation: key }) => ({ id, key })));
      const found = new Map<number, FoundMessage>();
      for (const [index, row] of rows.entries()) {
        const message = toMessage(row);
        if (message.retracted || readDetails(row.details).retracted.includes(message.seq)) continue;
        const topic = begun[index]?.created.settings.topic ?? '';
        found.set(row.key, { key: row.key, tenant: row.tenant, conversationId: row.id, topic, message });
      }
      return found;
    },
  };
}

function conditionsOf({ createdAfter, createdBefore, labels = {} }: MessageFilter): {
  where: string[];
  parameters: string[];
} {
  const where: string[] = [];
  const parameters: string[] = [];
  const at = `(e.json ->> '$.message.timestamp')`;
  if (createdAfter) {
    where.push(`${at} > ?`);
    parameters.push(createdAfter.toISOString());
  }
  if (createdBefore) {
    where.push(`${at} < ?`);
    parameters.push(createdBefore.toISOString());
  }
  for (const [name, value] of Object.entries(labels)) {
    where.push('EXISTS (SELECT 1 FROM facets WHERE name = ? AND value = ? AND conversation = c.key)');
    parameters.push(`label.${name}`, value);
  }
  return { where, parameters };
}
