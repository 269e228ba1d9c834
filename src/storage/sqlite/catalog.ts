import {
  type ConversationFilter,
  type ConversationRecord,
  EVERY_TENANT,
  type Page,
  type TenantScope,
} from '../../conversation/log/log.ts';
import { AppError } from '../../errors.ts';
import { DEFAULT_TENANT } from '../../protocol/events.ts';
import type { Beginnings } from './beginnings.ts';
import { FIND_BY_ID, FIND_OF_TENANT, type ListedRow, listingQuery } from './listing.ts';
import { toRecord } from './records.ts';
import type { Statements } from './statements.ts';

/** What is read of the catalog; what is written comes with the appends. */
export class SqliteCatalog {
  readonly #statements: Statements;
  readonly #beginnings: Beginnings;

  constructor(statements: Statements, beginnings: Beginnings) {
    this.#statements = statements;
    this.#beginnings = beginnings;
  }

  get(tenant: TenantScope, conversationId: string): ConversationRecord | undefined {
    return this.#recordsOf(this.#rowsOf(tenant, conversationId))[0];
  }

  has(tenant: TenantScope, conversationId: string): boolean {
    return this.#rowsOf(tenant, conversationId).length > 0;
  }

  /** @throws AppError `invalid_cursor` */
  list(
    tenant: TenantScope,
    filter: ConversationFilter,
    { limit, cursor }: { limit: number; cursor?: string | undefined },
  ): Page<ConversationRecord> {
    const before = cursor === undefined ? undefined : parseListCursor(cursor);
    const query = listingQuery(this.#statements.database, tenant, filter, before, limit + 1);
    if (query === 'nothing') return { items: [], nextCursor: null };
    const rows = this.#statements.all<ListedRow>(query.sql, ...query.parameters);
    const last = rows.length > limit ? rows[limit - 1] : undefined;
    return {
      items: this.#recordsOf(rows.slice(0, limit)),
      nextCursor: last ? `k${last.key.toString(36)}` : null,
    };
  }

  /** The ids of those that are to go on, in the order of their creation. */
  unfinished(): string[] {
    const rows = this.#statements.all<{ id: string }>(
      `SELECT id FROM conversations WHERE status IN ('running', 'queued') ORDER BY key`,
    );
    return rows.map(({ id }) => id);
  }

  /** Whose a conversation is: its tenant, and the API key that made it. */
  ownerOf(conversationId: string): { tenant: string; key: string | undefined } {
    const [row] = this.#statements.all<{ tenant: string; key: string | null }>(
      `SELECT c.tenant, e.json ->> '$.key' AS key
       FROM conversations c JOIN events e ON e.conversation = c.key AND e.seq = 1 WHERE c.id = ?`,
      conversationId,
    );
    return { tenant: row?.tenant ?? DEFAULT_TENANT, key: row?.key ?? undefined };
  }

  #rowsOf(tenant: TenantScope, conversationId: string): ListedRow[] {
    return tenant === EVERY_TENANT
      ? this.#statements.all<ListedRow>(FIND_BY_ID, conversationId)
      : this.#statements.all<ListedRow>(FIND_OF_TENANT, conversationId, tenant);
  }

  #recordsOf(rows: readonly ListedRow[]): ConversationRecord[] {
    return this.#beginnings.of(rows).map(({ row, created }) => toRecord(row, created));
  }
}

function parseListCursor(cursor: string): number {
  if (!/^k[\da-z]{1,10}$/.test(cursor)) throw new AppError('invalid_cursor', 'The cursor is malformed');
  return Number.parseInt(cursor.slice(1), 36);
}
