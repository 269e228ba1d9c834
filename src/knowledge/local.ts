import type { Found, Knowledge, PutOutcome, ReadDocument } from '../conversation/knowledge/knowledge.ts';
import type { Page } from '../conversation/log/log.ts';
import type { CollectionSummary, DocumentSummary, DocumentWithText } from '../protocol/knowledge.ts';
import { IndexThread } from './index/thread.ts';

/** In DATA_DIR. */
export const KNOWLEDGE_FILE = 'knowledge.sqlite';

/** All documents in one SQLite file of this process. Nothing is opened before somebody asks. */
export class LocalKnowledge implements Knowledge {
  readonly #writer: IndexThread;
  readonly #searcher: IndexThread;

  /**
   * @param path of the file; it is made where there is none
   * @param isDurable false where it can be made anew from elsewhere, so that nothing waits for the disk
   */
  constructor(path: string, isDurable = true) {
    this.#writer = new IndexThread({ path, isDurable });
    this.#searcher = new IndexThread({ path, isDurable });
  }

  replayOf(tenant: string, request: { key: string; bodyHash: string }): Promise<PutOutcome | undefined> {
    return this.#searcher.ask('replayOf', [tenant, request, Date.now()]);
  }

  put(
    tenant: string,
    collection: string,
    document: ReadDocument,
    request: { key: string; bodyHash: string } | undefined,
  ): Promise<PutOutcome> {
    return this.#writer.ask('put', [tenant, collection, document, request]);
  }

  get(tenant: string, collection: string, id: string): Promise<DocumentWithText | undefined> {
    return this.#searcher.ask('get', [tenant, collection, id]);
  }

  documents(
    tenant: string,
    collection: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<DocumentSummary> | undefined> {
    return this.#searcher.ask('documents', [tenant, collection, page]);
  }

  collections(
    tenant: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<CollectionSummary>> {
    return this.#searcher.ask('collections', [tenant, page]);
  }

  has(tenant: string, collection: string): Promise<boolean> {
    return this.#searcher.ask('has', [tenant, collection]);
  }

  deleteDocument(tenant: string, collection: string, id: string): Promise<boolean> {
    return this.#writer.ask('deleteDocument', [tenant, collection, id]);
  }

  deleteCollection(tenant: string, collection: string): Promise<boolean> {
    return this.#writer.ask('deleteCollection', [tenant, collection]);
  }

  async search(
    tenant: string,
    collection: string,
    question: string,
    { limit, signal }: { limit: number; signal: AbortSignal },
  ): Promise<Found | undefined> {
    const items = await this.#searcher.ask('search', [tenant, collection, question, limit], signal);
    return items && { items, degraded: false };
  }

  /** Forgets all documents of all tenants. */
  clear(): Promise<void> {
    return this.#writer.ask('clear', []);
  }

  async close(): Promise<void> {
    await Promise.all([this.#writer.close(), this.#searcher.close()]);
  }
}
