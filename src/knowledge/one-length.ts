import type { Embedder } from '../conversation/knowledge/embedder.ts';

/**
 * An embedder whose vectors have the length of those that are kept already: others can't be compared, and would be found
 * by nobody. A model that changes under its name is away, until the configuration names it otherwise.
 *
 * @param kept the length of vectors of the model that are kept; undefined where there are none
 */
export function ofOneLength(
  embedder: Embedder,
  kept: (signal: AbortSignal) => Promise<number | undefined>,
): Embedder {
  let length: number | undefined;
  return {
    name: embedder.name,
    async embed(texts, what, signal) {
      const vectors = await embedder.embed(texts, what, signal);
      const other = (): Float32Array | undefined => vectors.find((vector) => vector.length !== length);
      length ??= await kept(signal);
      // Those that it is known of may have been removed meanwhile.
      if (length !== undefined && other()) length = await kept(signal);
      const strange = length === undefined ? undefined : other();
      if (!strange) return vectors;
      throw new Error(
        `The model gives vectors of ${strange.length} numbers, and those that are kept have ${length}: ` +
          'EMBEDDINGS_DIMENSIONS or another EMBEDDINGS_MODEL has all of them made anew',
      );
    },
  };
}
