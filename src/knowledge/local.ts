import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Embedder } from '../conversation/knowledge/embedder.ts';
import type { Found, Knowledge, PutOutcome, ReadDocument } from '../conversation/knowledge/knowledge.ts';
import type { Page } from '../conversation/log/log.ts';
import type { CollectionSummary, DocumentSummary, DocumentWithText } from '../protocol/knowledge.ts';
import { Embedding } from './embedding.ts';
import type { Meaning } from './index/search.ts';
import { IndexThread } from './index/thread.ts';
import { ofOneLength } from './one-length.ts';
import { VectorDatabase } from './postgres/database.ts';
import { PostgresVectors } from './postgres/vectors.ts';
import { type VectorStore, VectorsBeside } from './vector-store.ts';

/** In DATA_DIR. */
export const KNOWLEDGE_FILE = 'knowledge.sqlite';

/** What makes vectors of passages, and who is told where it fails. */
export interface EmbeddingOptions {
  /** Undefined: words alone are compared. */
  embedder?: Embedder | undefined;
  onEmbeddingFailure?: (error: unknown, retryInMs: number) => void;
  /** Where vectors are kept: a database of PostgreSQL with pgvector. Undefined: in the file. */
  vectorUrl?: string | undefined;
}

interface LocalOptions extends EmbeddingOptions {
  /** False where the file can be made anew from elsewhere, so that nothing waits for the disk. */
  isDurable?: boolean;
  /** Whose vectors they are, where several instances have them in one database; by default the file's. */
  space?: () => Promise<string>;
}

/** Whoever adds a document waits so long for its vectors, and a search for its question's, in milliseconds. */
const EMBEDDED_WITHIN_MS = 5000;
const QUESTION_WITHIN_MS = 3000;
/** Vectors of the last questions are kept: a talk's topic is asked for with each of its turns. */
const MOST_QUESTIONS = 500;
/** What is on its way to an instance that has all changes so far has been put within this time, in seconds. */
const OTHERS_WITHIN_SECONDS = 3600;

/** All documents in one SQLite file of this process. Nothing is opened before somebody asks. */
export class LocalKnowledge implements Knowledge {
  readonly #writer: IndexThread;
  readonly #searcher: IndexThread;
  readonly #embedder: Embedder | undefined;
  readonly #vectors: VectorStore;
  readonly #embedding: Embedding | undefined;
  /** Whoever follows others has no time to wait for vectors. */
  readonly #waits: boolean;
  readonly #questions = new Map<string, Float32Array>();

  /** @param path of the file; it is made where there is none */
  constructor(path: string, options: LocalOptions = {}) {
    const { isDurable = true, embedder, onEmbeddingFailure = () => {}, vectorUrl, space } = options;
    this.#writer = new IndexThread({ path, isDurable });
    this.#searcher = new IndexThread({ path, isDurable });
    this.#waits = isDurable;
    this.#vectors = vectorUrl
      ? new PostgresVectors(new VectorDatabase(vectorUrl), this.#writer, {
          space,
          othersWithinSeconds: isDurable ? 0 : OTHERS_WITHIN_SECONDS,
        })
      : new VectorsBeside(this.#writer);
    this.#embedder =
      embedder && ofOneLength(embedder, (signal) => this.#vectors.lengthOf(embedder.name, signal));
    this.#embedding =
      this.#embedder && new Embedding(this.#vectors, this.#embedder, { onFailure: onEmbeddingFailure });
    // Vectors may be missing since the process before this one, or be of another model.
    if (isDurable && existsSync(path)) this.hasAll();
  }

  replayOf(tenant: string, request: { key: string; bodyHash: string }): Promise<PutOutcome | undefined> {
    return this.#searcher.ask('replayOf', [tenant, request, Date.now()]);
  }

  async put(
    tenant: string,
    collection: string,
    document: ReadDocument,
    request: { key: string; bodyHash: string } | undefined,
  ): Promise<PutOutcome> {
    const outcome = await this.#writer.ask('put', [tenant, collection, document, request]);
    // The document is taken, whatever becomes of its vectors; mostly they are there in a moment.
    if (this.#embedding) {
      const caughtUp = this.#embedding.catchUp();
      if (this.#waits) await Promise.race([caughtUp, delay(EMBEDDED_WITHIN_MS, undefined, { ref: false })]);
    }
    return outcome;
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
    return this.#removed(this.#writer.ask('deleteDocument', [tenant, collection, id]));
  }

  deleteCollection(tenant: string, collection: string): Promise<boolean> {
    return this.#removed(this.#writer.ask('deleteCollection', [tenant, collection]));
  }

  async search(
    tenant: string,
    collection: string,
    question: string,
    { limit, signal }: { limit: number; signal: AbortSignal },
  ): Promise<Found | undefined> {
    const meaning = await this.#meaningOf(tenant, collection, question, signal);
    const known = meaning === 'unknown' ? undefined : meaning;
    const items = await this.#searcher.ask('search', [tenant, collection, question, limit, known], signal);
    return items && { items, degraded: meaning === 'unknown' };
  }

  /** All documents that there are have been put: vectors of anything else are of no use. */
  hasAll(): void {
    if (this.#vectors instanceof PostgresVectors) this.#vectors.lookThrough();
    void this.#embedding?.catchUp();
  }

  async #removed(removal: Promise<boolean>): Promise<boolean> {
    const isRemoved = await removal;
    if (isRemoved && this.#vectors instanceof PostgresVectors) void this.#embedding?.catchUp();
    return isRemoved;
  }

  /** `unknown` where the vendor or the vectors are away; undefined where words alone are compared anyway. */
  async #meaningOf(
    tenant: string,
    collection: string,
    question: string,
    signal: AbortSignal,
  ): Promise<Meaning | 'unknown' | undefined> {
    if (!this.#embedder) return undefined;
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(QUESTION_WITHIN_MS)]);
    const { name: model } = this.#embedder;
    try {
      const vector = this.#questions.get(question) ?? (await this.#vectorOf(question, bounded));
      return vector ? await this.#vectors.meaning({ tenant, collection, model, vector }, bounded) : 'unknown';
    } catch {
      signal.throwIfAborted();
      return 'unknown';
    }
  }

  async #vectorOf(question: string, signal: AbortSignal): Promise<Float32Array | undefined> {
    const [vector] = (await this.#embedder?.embed([question], 'question', signal)) ?? [];
    if (!vector) return undefined;
    this.#questions.set(question, vector);
    if (this.#questions.size > MOST_QUESTIONS) {
      this.#questions.delete(this.#questions.keys().next().value ?? '');
    }
    return vector;
  }

  /** Forgets all documents of all tenants. */
  clear(): Promise<void> {
    return this.#writer.ask('clear', []);
  }

  async close(): Promise<void> {
    await this.#embedding?.close();
    await this.#vectors.close();
    await Promise.all([this.#writer.close(), this.#searcher.close()]);
  }
}
