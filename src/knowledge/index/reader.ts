import type Database from 'better-sqlite3';
import type { Page } from '../../conversation/log/log.ts';
import type { CollectionSummary, DocumentSummary, DocumentWithText } from '../../protocol/knowledge.ts';
import { Statements } from '../../storage/sqlite/statements.ts';

export interface CollectionRow {
  key: number;
  passages: number;
  words: number;
}

interface DocumentRow {
  key: number;
  id: string;
  title: string;
  format: DocumentWithText['format'];
  url: string | null;
  metadata: string | null;
  created_at: number;
  passages: number;
  characters: number;
}

/** What is read from the file, but for searches. */
export class IndexReader {
  readonly #statements: Statements;

  constructor(database: Database.Database) {
    this.#statements = new Statements(database);
  }

  collection(tenant: string, name: string): CollectionRow | undefined {
    return this.#statements.all<CollectionRow>(
      'SELECT key, passages, words FROM collections WHERE tenant = ? AND name = ?',
      tenant,
      name,
    )[0];
  }

  get(tenant: string, name: string, id: string): DocumentWithText | undefined {
    const collection = this.collection(tenant, name);
    const row =
      collection &&
      this.#statements.all<DocumentRow & { text: string }>(
        'SELECT * FROM documents WHERE collection = ? AND id = ?',
        collection.key,
        id,
      )[0];
    return row && { ...summaryOf(row), collection: name, format: row.format, text: row.text };
  }

  documents(
    tenant: string,
    name: string,
    { limit, cursor = '' }: { limit: number; cursor?: string | undefined },
  ): Page<DocumentSummary> | undefined {
    const collection = this.collection(tenant, name);
    if (!collection) return undefined;
    const rows = this.#statements.all<DocumentRow>(
      `SELECT key, id, title, format, url, metadata, created_at, passages, characters FROM documents
       WHERE collection = ? AND id > ? ORDER BY id LIMIT ?`,
      collection.key,
      cursor,
      limit + 1,
    );
    return pageOf(rows.map(summaryOf), limit, ({ id }) => id);
  }

  collections(
    tenant: string,
    { limit, cursor = '' }: { limit: number; cursor?: string | undefined },
  ): Page<CollectionSummary> {
    const rows = this.#statements.all<CollectionSummary>(
      `SELECT name AS collection, (SELECT count(*) FROM documents d WHERE d.collection = c.key) AS documents, passages
       FROM collections c WHERE tenant = ? AND name > ? ORDER BY name LIMIT ?`,
      tenant,
      cursor,
      limit + 1,
    );
    return pageOf(rows, limit, ({ collection }) => collection);
  }

  has(tenant: string, name: string): boolean {
    return this.collection(tenant, name) !== undefined;
  }
}

function summaryOf(row: DocumentRow): DocumentSummary {
  const { id, title, passages, characters, url, metadata } = row;
  return {
    id,
    title,
    passages,
    characters,
    createdAt: new Date(row.created_at).toISOString(),
    ...(url === null ? {} : { url }),
    ...(metadata === null ? {} : { metadata: JSON.parse(metadata) as DocumentSummary['metadata'] }),
  };
}

function pageOf<Item>(items: Item[], limit: number, cursorOf: (item: Item) => string): Page<Item> {
  const last = items.length > limit ? items[limit - 1] : undefined;
  return { items: items.slice(0, limit), nextCursor: last ? cursorOf(last) : null };
}
