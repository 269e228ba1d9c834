import { createHash } from 'node:crypto';
import type Database from 'better-sqlite3';
import {
  MOST_COLLECTIONS,
  type PutOutcome,
  type ReadDocument,
} from '../../conversation/knowledge/knowledge.ts';
import { IDEMPOTENCY_WINDOW_MS } from '../../conversation/log/log.ts';
import { Statements } from '../../storage/sqlite/statements.ts';
import { IndexReader } from './reader.ts';
import { indexed } from './terms.ts';
import { makeWordTables, wordTables } from './word-tables.ts';

/** What is written to the file; all of it at once, for a thread of its own. */
export class IndexFile {
  readonly #database: Database.Database;
  readonly #statements: Statements;
  readonly #reader: IndexReader;

  constructor(database: Database.Database) {
    this.#database = database;
    this.#statements = new Statements(database);
    this.#reader = new IndexReader(database);
  }

  replayOf(tenant: string, request: { key: string; bodyHash: string }, now: number): PutOutcome | undefined {
    const row = this.#statements.all<{ body_hash: string; document: string }>(
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
        const collection = this.#reader.collection(tenant, name)?.key ?? this.#makeCollection(tenant, name);
        if (collection === undefined) return { outcome: 'full' };
        const earlier = this.#document(collection, document.id);
        const hashes = earlier ? this.#removeDocument(tenant, name, collection, earlier) : [];
        this.#insert(collection, document);
        // Behind the insertion: what stays as it was keeps its vector.
        this.#dropVectors(hashes);
        this.#statements.run('DELETE FROM requests WHERE made_at <= ?', now - IDEMPOTENCY_WINDOW_MS);
        if (request) {
          const { key, bodyHash } = request;
          const sql =
            'INSERT OR REPLACE INTO requests (tenant, key, body_hash, collection, document, made_at) VALUES (?, ?, ?, ?, ?, ?)';
          this.#statements.run(sql, tenant, key, bodyHash, name, document.id, now);
        }
        return { outcome: 'kept' };
      })
      .immediate();
  }

  #insert(collection: number, document: ReadDocument): void {
    const { id, title, format, url, metadata, createdAt, text, passages } = document;
    const { lastInsertRowid } = this.#statements.run(
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
      const { lastInsertRowid: key } = this.#statements.run(
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
      this.#statements.run(`INSERT INTO ${table} (rowid, words) VALUES (?, ?)`, key, [...terms].join(' '));
    }
    this.#statements.run(
      'UPDATE collections SET passages = passages + ?, words = words + ? WHERE key = ?',
      passages.length,
      total,
      collection,
    );
  }

  deleteDocument(tenant: string, name: string, id: string): boolean {
    return this.#database
      .transaction(() => {
        const collection = this.#reader.collection(tenant, name);
        const document = collection && this.#document(collection.key, id);
        if (!document) return false;
        this.#dropVectors(this.#removeDocument(tenant, name, collection.key, document));
        const left = this.#statements.all(
          'SELECT 1 FROM documents WHERE collection = ? LIMIT 1',
          collection.key,
        )[0];
        if (!left) this.#removeCollection(tenant, name, collection.key);
        return true;
      })
      .immediate();
  }

  deleteCollection(tenant: string, name: string): boolean {
    return this.#database
      .transaction(() => {
        const collection = this.#reader.collection(tenant, name);
        if (!collection) return false;
        this.#removeCollection(tenant, name, collection.key);
        return true;
      })
      .immediate();
  }

  clear(): void {
    const all = this.#statements.all<{ key: number; tenant: string; name: string }>(
      'SELECT key, tenant, name FROM collections',
    );
    this.#database.transaction(() => {
      for (const { key, tenant, name } of all) this.#removeCollection(tenant, name, key);
    })();
  }

  #document(collection: number, id: string): { key: number; id: string } | undefined {
    return this.#statements.all<{ key: number; id: string }>(
      'SELECT key, id FROM documents WHERE collection = ? AND id = ?',
      collection,
      id,
    )[0];
  }

  /** Undefined where the tenant has as many as it may. */
  #makeCollection(tenant: string, name: string): number | undefined {
    const count = this.#statements.all<{ count: number }>(
      'SELECT count(*) AS count FROM collections WHERE tenant = ?',
      tenant,
    )[0];
    if ((count?.count ?? 0) >= MOST_COLLECTIONS) return undefined;
    const { lastInsertRowid } = this.#statements.run(
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
    const hashes = this.#statements.all<{ hash: Uint8Array }>(
      'SELECT hash FROM passages WHERE document = ?',
      document.key,
    );
    const { words: table } = wordTables(collection);
    const gone = this.#statements.all<{ passages: number; words: number }>(
      'SELECT count(*) AS passages, ifnull(sum(words), 0) AS words FROM passages WHERE document = ?',
      document.key,
    )[0];
    this.#statements.run(
      `DELETE FROM ${table} WHERE rowid IN (SELECT key FROM passages WHERE document = ?)`,
      document.key,
    );
    this.#statements.run('DELETE FROM passages WHERE document = ?', document.key);
    this.#statements.run('DELETE FROM documents WHERE key = ?', document.key);
    this.#statements.run(
      'UPDATE collections SET passages = passages - ?, words = words - ? WHERE key = ?',
      gone?.passages ?? 0,
      gone?.words ?? 0,
      collection,
    );
    const forget = 'DELETE FROM requests WHERE tenant = ? AND collection = ? AND document = ?';
    this.#statements.run(forget, tenant, name, document.id);
    return hashes.map(({ hash }) => hash);
  }

  #removeCollection(tenant: string, name: string, key: number): void {
    const { words, vocabulary } = wordTables(key);
    this.#statements.clear();
    this.#database.exec(`DROP TABLE ${vocabulary}; DROP TABLE ${words};`);
    const hashes = this.#statements.all<{ hash: Uint8Array }>(
      'SELECT DISTINCT hash FROM passages WHERE collection = ?',
      key,
    );
    this.#statements.run('DELETE FROM passages WHERE collection = ?', key);
    this.#dropVectors(hashes.map(({ hash }) => hash));
    this.#statements.run('DELETE FROM documents WHERE collection = ?', key);
    this.#statements.run('DELETE FROM requests WHERE tenant = ? AND collection = ?', tenant, name);
    this.#statements.run('DELETE FROM collections WHERE key = ?', key);
  }

  /** Drops those that no passage has any more. */
  #dropVectors(hashes: readonly Uint8Array[]): void {
    const sql =
      'DELETE FROM vectors WHERE hash = ? AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.hash = vectors.hash)';
    for (const hash of hashes) this.#statements.run(sql, hash);
  }
}
