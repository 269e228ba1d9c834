import { setTimeout as delay } from 'node:timers/promises';
import type { Embedder } from '../conversation/knowledge/embedder.ts';
import type { VectorStore } from './vector-store.ts';

/** Texts that are embedded in one call, and their characters together. */
const BATCH = { texts: 64, characters: 60_000 };
/** After a failure it is tried again, later and later, in milliseconds. */
const [FIRST_WAIT_MS, LONGEST_WAIT_MS] = [1000, 60_000];

export interface EmbeddingHooks {
  /** A batch failed, and is tried again. */
  onFailure: (error: unknown, retryInMs: number) => void;
}

/**
 * Sees to it that each passage of an index has a vector of the present model: new passages, and all of them when the
 * model has changed; and that what was deleted has none. While the vendor is away it tries again, for as long as it takes.
 */
export class Embedding {
  readonly #store: VectorStore;
  readonly #embedder: Embedder;
  readonly #hooks: EmbeddingHooks;
  readonly #closing = new AbortController();
  #working: Promise<void> | undefined;
  #isStale = false;
  /** Resolved when a batch fails. */
  #failure = Promise.withResolvers<void>();
  #isAway = false;

  constructor(store: VectorStore, embedder: Embedder, hooks: EmbeddingHooks) {
    this.#store = store;
    this.#embedder = embedder;
    this.#hooks = hooks;
  }

  /**
   * Embeds what has no vector.
   *
   * @returns fulfilled when all has one, or when the vendor turns out to be away: it goes on all the same
   */
  async catchUp(): Promise<void> {
    this.#isStale = true;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
    if (!this.#isAway) await Promise.race([this.#working, this.#failure.promise]);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    const { signal } = this.#closing;
    const { name } = this.#embedder;
    let waitMs = FIRST_WAIT_MS;
    while (this.#isStale && !signal.aborted) {
      this.#isStale = false;
      try {
        for (;;) {
          const batch = await this.#store.missing(name, BATCH, signal);
          if (batch.length === 0) break;
          const texts = batch.map(({ text }) => text);
          const vectors = await this.#embedder.embed(texts, 'passages', signal);
          await this.#store.keep(name, batch, vectors, signal);
          waitMs = FIRST_WAIT_MS;
          this.#isAway = false;
        }
        await this.#store.tidy(name, signal);
        waitMs = FIRST_WAIT_MS;
        this.#isAway = false;
      } catch (error) {
        if (signal.aborted) return;
        this.#isStale = true;
        this.#isAway = true;
        this.#failure.resolve();
        this.#failure = Promise.withResolvers();
        this.#hooks.onFailure(error, waitMs);
        await delay(waitMs, undefined, { signal, ref: false }).catch(() => {});
        waitMs = Math.min(2 * waitMs, LONGEST_WAIT_MS);
      }
    }
  }
}
