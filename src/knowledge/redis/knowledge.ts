import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Found, Knowledge, PutOutcome, ReadDocument } from '../../conversation/knowledge/knowledge.ts';
import type { Page } from '../../conversation/log/log.ts';
import type { CollectionSummary, DocumentSummary, DocumentWithText } from '../../protocol/knowledge.ts';
import { overloaded } from '../../storage/redis/answers.ts';
import type { LocalKnowledge } from '../local.ts';
import type { RedisDocuments } from './documents.ts';

/** Changes that are read at once. */
const AT_ONCE = 20;
/** Whoever asks waits so long for the index to know of all changes, in milliseconds. */
const PATIENCE_MS = 8000;

/**
 * The documents in Redis, and an index of them in a file of this instance alone, made anew with each process. Before
 * anything is read from it, it is asked whether something has changed: so a document is found on any instance as soon
 * as its promise was fulfilled on one.
 */
export class RedisKnowledge implements Knowledge {
  readonly #documents: RedisDocuments;
  readonly #openIndex: (path: string) => LocalKnowledge;
  readonly #path = join(tmpdir(), `aic-knowledge-${randomUUID()}.sqlite`);
  #index: LocalKnowledge | undefined;
  /** Up to which change the index has all. */
  #version = 0;
  #following: Promise<void> | undefined;
  #isClosed = false;
  #hasAll = false;

  constructor(documents: RedisDocuments, openIndex: (path: string) => LocalKnowledge) {
    this.#documents = documents;
    this.#openIndex = openIndex;
  }

  replayOf(tenant: string, request: { key: string; bodyHash: string }): Promise<PutOutcome | undefined> {
    return this.#documents.replayOf(tenant, request);
  }

  async put(
    tenant: string,
    collection: string,
    document: ReadDocument,
    request: { key: string; bodyHash: string } | undefined,
  ): Promise<PutOutcome> {
    const outcome = await this.#documents.put(tenant, collection, document, request);
    // Whoever takes a document has its vectors made; the others find them. What fails here is tried with the next question.
    this.#current().catch(() => {});
    return outcome;
  }

  async get(tenant: string, collection: string, id: string): Promise<DocumentWithText | undefined> {
    return (await this.#current()).get(tenant, collection, id);
  }

  async documents(
    tenant: string,
    collection: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<DocumentSummary> | undefined> {
    return (await this.#current()).documents(tenant, collection, page);
  }

  async collections(
    tenant: string,
    page: { limit: number; cursor?: string | undefined },
  ): Promise<Page<CollectionSummary>> {
    return (await this.#current()).collections(tenant, page);
  }

  async has(tenant: string, collection: string): Promise<boolean> {
    return (await this.#current()).has(tenant, collection);
  }

  async deleteDocument(tenant: string, collection: string, id: string): Promise<boolean> {
    return (await this.#documents.delete(tenant, collection, [id])) > 0;
  }

  async deleteCollection(tenant: string, collection: string): Promise<boolean> {
    return (await this.#documents.delete(tenant, collection, [])) > 0;
  }

  async search(
    tenant: string,
    collection: string,
    question: string,
    options: { limit: number; signal: AbortSignal },
  ): Promise<Found | undefined> {
    return (await this.#current()).search(tenant, collection, question, options);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#following?.catch(() => {});
    await this.#index?.close();
    for (const end of ['', '-wal', '-shm']) rmSync(this.#path + end, { force: true });
  }

  /** The index, knowing of all that was kept before this was asked. */
  async #current(): Promise<LocalKnowledge> {
    const index = (this.#index ??= this.#openIndex(this.#path));
    const version = await this.#documents.version();
    // Redis may have lost its last moments; what is indexed of them is then no document any more.
    if (version < this.#version) await this.#beginAnew(index);
    const late = delay(PATIENCE_MS, 'late' as const, { ref: false });
    while (this.#version < version) {
      this.#following ??= this.#follow(index).finally(() => {
        this.#following = undefined;
      });
      if ((await Promise.race([this.#following, late])) === 'late') {
        throw overloaded('the index of documents is being made anew');
      }
    }
    return index;
  }

  async #follow(index: LocalKnowledge): Promise<void> {
    for (;;) {
      const changes = await this.#documents.changes(this.#version, AT_ONCE);
      if (changes.length === 0 && !this.#hasAll) index.hasAll();
      if (changes.length === 0) this.#hasAll = true;
      if (changes.length === 0 || this.#isClosed) return;
      for (const { version, tenant, collection, id, document } of changes) {
        if (document) await index.put(tenant, collection, document, undefined);
        else await index.deleteDocument(tenant, collection, id);
        this.#version = version;
      }
    }
  }

  async #beginAnew(index: LocalKnowledge): Promise<void> {
    await this.#following?.catch(() => {});
    await index.clear();
    this.#version = 0;
    this.#hasAll = false;
  }
}
