import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import {
  MOST_COLLECTIONS,
  type PutOutcome,
  type ReadDocument,
} from '../../conversation/knowledge/knowledge.ts';
import { IDEMPOTENCY_WINDOW_MS, type Page } from '../../conversation/log/log.ts';
import type { CollectionSummary, DocumentSummary, DocumentWithText } from '../../protocol/knowledge.ts';
import { indexed } from './terms.ts';
import { makeWordTables, wordTables } from './word-tables.ts';

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

/** What is written to and read from the file, but for searches; all of it at once, for a thread of its own. */
export class IndexFile {
  readonly #database: Database.Database;
  readonly #statements = new Map<string, Database.Statement>();

  constructor(database: Database.Database) {
    this.#database = database;
  }

  replayOf(tenant: string, request: { key: string; bodyHash: string }, now: number): PutOutcome | undefined {
    const row = this.#all<{ body_hash: string; document: string }>(
      'SELECT body_hash, document FROM requests WHERE tenant = ? AND key = ? AND made_at > ?',
      tenant,
      request.key,
      now - IDEMPOTENCY_WINDOW_MS,
    )[0];
    if (!row) return undefined;
    return row.body_hash === request.bodyHash
      ? { outcome: 'replayed', id: row.document }
      : { outcome: 'idempotency_mismatch' };
  }

  put(
    tenant: string,
    name: string,
    document: ReadDocument,
    request: { key: string; bodyHash: string } | undefined,
  ): PutOutcome {
    const now = Date.now();
    return this.#database
      .transaction((): PutOutcome => {
        const replay = request && this.replayOf(tenant, request, now);
        if (replay) return replay;
        const collection = this.collection(tenant, name)?.key ?? this.#makeCollection(tenant, name);
        if (collection === undefined) return { outcome: 'full' };
        const earlier = this.#document(collection, document.id);
        const hashes = earlier ? this.#removeDocument(tenant, name, collection, earlier) : [];
        this.#insert(collection, document);
        // Behind the insertion: what stays as it was keeps its vector.
        this.#dropVectors(hashes);
        this.#run('DELETE FROM requests WHERE made_at <= ?', now - IDEMPOTENCY_WINDOW_MS);
        if (request) {
          const { key, bodyHash } = request;
          const sql =
            'INSERT OR REPLACE INTO requests (tenant, key, body_hash, collection, document, made_at) VALUES (?, ?, ?, ?, ?, ?)';
          this.#run(sql, tenant, key, bodyHash, name, document.id, now);
        }
        return { outcome: 'kept' };
      })
      .immediate();
  }

  #insert(collection: number, document: ReadDocument): void {
    const { id, title, format, url, metadata, createdAt, text, passages } = document;
    const { lastInsertRowid } = this.#run(
      `INSERT INTO documents (collection, id, title, format, url, metadata, created_at, passages, characters, text)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      collection,
      id,
      title,
      format,
      url ?? null,
      metadata ? JSON.stringify(metadata) : null,
      createdAt.getTime(),
      passages.length,
      text.length,
      text,
    );
    const { words: table } = wordTables(collection);
    let total = 0;
    for (const [index, { from, to, under }] of passages.entries()) {
      const passage = text.slice(from, to);
      const heading = under === '' ? title : `${title} › ${under}`;
      const { folded, terms, words } = indexed(`${heading}\n${passage}`);
      total += words;
      const { lastInsertRowid: key } = this.#run(
        `INSERT INTO passages (collection, document, number, start, stop, heading, text, folded, words, hash)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
        collection,
        lastInsertRowid,
        index + 1,
        from,
        to,
        heading,
        passage,
        folded,
        words,
        createHash('sha256').update(`${heading}\n${passage}`).digest(),
      );
      this.#run(`INSERT INTO ${table} (rowid, words) VALUES (?, ?)`, key, [...terms].join(' '));
    }
    this.#run(
      'UPDATE collections SET passages = passages + ?, words = words + ? WHERE key = ?',
      passages.length,
      total,
      collection,
    );
  }

  get(tenant: string, name: string, id: string): DocumentWithText | undefined {
    const collection = this.collection(tenant, name);
    const row =
      collection &&
      this.#all<DocumentRow & { text: string }>(
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
    const rows = this.#all<DocumentRow>(
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
    const rows = this.#all<CollectionSummary>(
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

  deleteDocument(tenant: string, name: string, id: string): boolean {
    return this.#database
      .transaction(() => {
        const collection = this.collection(tenant, name);
        const document = collection && this.#document(collection.key, id);
        if (!document) return false;
        this.#dropVectors(this.#removeDocument(tenant, name, collection.key, document));
        const left = this.#all('SELECT 1 FROM documents WHERE collection = ? LIMIT 1', collection.key)[0];
        if (!left) this.#removeCollection(tenant, name, collection.key);
        return true;
      })
      .immediate();
  }

  deleteCollection(tenant: string, name: string): boolean {
    return this.#database
      .transaction(() => {
        const collection = this.collection(tenant, name);
        if (!collection) return false;
        this.#removeCollection(tenant, name, collection.key);
        return true;
      })
      .immediate();
  }

  clear(): void {
    const all = this.#all<{ key: number; tenant: string; name: string }>(
      'SELECT key, tenant, name FROM collections',
    );
    this.#database.transaction(() => {
      for (const { key, tenant, name } of all) this.#removeCollection(tenant, name, key);
    })();
  }

  collection(tenant: string, name: string): CollectionRow | undefined {
    return this.#all<CollectionRow>(
      'SELECT key, passages, words FROM collections WHERE tenant = ? AND name = ?',
      tenant,
      name,
    )[0];
  }

  #document(collection: number, id: string): { key: number; id: string } | undefined {
    return this.#all<{ key: number; id: string }>(
      'SELECT key, id FROM documents WHERE collection = ? AND id = ?',
      collection,
      id,
    )[0];
  }

  /** Undefined where the tenant has as many as it may. */
  #makeCollection(tenant: string, name: string): number | undefined {
    const count = this.#all<{ count: number }>(
      'SELECT count(*) AS count FROM collections WHERE tenant = ?',
      tenant,
    )[0];
    if ((count?.count ?? 0) >= MOST_COLLECTIONS) return undefined;
    const { lastInsertRowid } = this.#run(
      'INSERT INTO collections (tenant, name) VALUES (?, ?)',
      tenant,
      name,
    );
    const key = Number(lastInsertRowid);
    makeWordTables(this.#database, key);
    return key;
  }

  /** Gives the hashes of its passages, whose vectors may be of no use any more. */
  #removeDocument(
    tenant: string,
    name: string,
    collection: number,
    document: { key: number; id: string },
  ): Uint8Array[] {
    const hashes = this.#all<{ hash: Uint8Array }>(
      'SELECT hash FROM passages WHERE document = ?',
      document.key,
    );
    const { words: table } = wordTables(collection);
    const gone = this.#all<{ passages: number; words: number }>(
      'SELECT count(*) AS passages, ifnull(sum(words), 0) AS words FROM passages WHERE document = ?',
      document.key,
    )[0];
    this.#run(
      `DELETE FROM ${table} WHERE rowid IN (SELECT key FROM passages WHERE document = ?)`,
      document.key,
    );
    this.#run('DELETE FROM passages WHERE document = ?', document.key);
    this.#run('DELETE FROM documents WHERE key = ?', document.key);
    this.#run(
      'UPDATE collections SET passages = passages - ?, words = words - ? WHERE key = ?',
      gone?.passages ?? 0,
      gone?.words ?? 0,
      collection,
    );
    const forget = 'DELETE FROM requests WHERE tenant = ? AND collection = ? AND document = ?';
    this.#run(forget, tenant, name, document.id);
    return hashes.map(({ hash }) => hash);
  }

  #removeCollection(tenant: string, name: string, key: number): void {
    const { words, vocabulary } = wordTables(key);
    this.#statements.clear();
    this.#database.exec(`DROP TABLE ${vocabulary}; DROP TABLE ${words};`);
    const hashes = this.#all<{ hash: Uint8Array }>(
      'SELECT DISTINCT hash FROM passages WHERE collection = ?',
      key,
    );
    this.#run('DELETE FROM passages WHERE collection = ?', key);
    this.#dropVectors(hashes.map(({ hash }) => hash));
    this.#run('DELETE FROM documents WHERE collection = ?', key);
    this.#run('DELETE FROM requests WHERE tenant = ? AND collection = ?', tenant, name);
    this.#run('DELETE FROM collections WHERE key = ?', key);
  }

  /** Drops those that no passage has any more. */
  #dropVectors(hashes: readonly Uint8Array[]): void {
    const sql =
      'DELETE FROM vectors WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.hash = vectors.hash)';
    for (const hash of hashes) this.#run(sql, hash);
  }

  #run(sql: string, ...parameters: unknown[]): Database.RunResult {
    return this.#statement(sql).run(...parameters);
  }

  #all<Row>(sql: string, ...parameters: unknown[]): Row[] {
    return this.#statement<Row>(sql).all(...parameters);
  }

  #statement<Row>(sql: string): Database.Statement<unknown[], Row> {
    let statement = this.#statements.get(sql);
    if (!statement) {
      // Those of one collection are told apart by its name.
      if (this.#statements.size > 500) this.#statements.clear();
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement as Database.Statement<unknown[], Row>;
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
