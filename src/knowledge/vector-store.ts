import type { Meaning } from './index/search.ts';
import type { IndexThread } from './index/thread.ts';
import type { Most, Unembedded } from './index/vectors.ts';

/** Where the vectors of passages are kept. All verbs throw where it can't be reached, and the signal's reason. */
export interface VectorStore {
  /** The next passages without a vector of a model; none when all have one. */
  missing(model: string, most: Most, signal: AbortSignal): Promise<Unembedded[]>;

  /** Keeps the vectors of what was missing, in its order. */
  keep(
    model: string,
    passages: readonly Unembedded[],
    vectors: readonly Float32Array[],
    signal: AbortSignal,
  ): Promise<void>;

  /** Removes vectors of other models, and of what was deleted. */
  tidy(model: string, signal: AbortSignal): Promise<void>;

  /** What the index needs to find what is nearest to a question in a collection. */
  meaning(
    question: { tenant: string; collection: string; model: string; vector: Float32Array },
    signal: AbortSignal,
  ): Promise<Meaning>;

  /** How many numbers the vectors of a model have; undefined where there are none. */
  lengthOf(model: string, signal: AbortSignal): Promise<number | undefined>;

  close(): Promise<void>;
}

/** Beside the passages, in the same file. */
export class VectorsBeside implements VectorStore {
  readonly #thread: IndexThread;

  constructor(thread: IndexThread) {
    this.#thread = thread;
  }

  missing(model: string, most: Most, signal: AbortSignal): Promise<Unembedded[]> {
    return this.#thread.ask('withoutVectors', [model, most], signal);
  }

  keep(
    model: string,
    passages: readonly Unembedded[],
    vectors: readonly Float32Array[],
    signal: AbortSignal,
  ): Promise<void> {
    const kept = vectors.map((vector, index) => ({
      hash: passages[index]?.hash ?? new Uint8Array(),
      vector,
    }));
    return this.#thread.ask('keepVectors', [model, kept], signal);
  }

  tidy(model: string, signal: AbortSignal): Promise<void> {
    return this.#thread.ask('dropVectorsBut', [model], signal);
  }

  async meaning({ model, vector }: { model: string; vector: Float32Array }): Promise<Meaning> {
    return { model, vector };
  }

  lengthOf(model: string, signal: AbortSignal): Promise<number | undefined> {
    return this.#thread.ask('lengthOf', [model], signal);
  }

  async close(): Promise<void> {}
}
