/** PORT: makes vectors of texts, whose nearness is that of what the texts mean. */
export interface Embedder {
  /** Tells vectors of one model from those of another. */
  readonly name: string;

  /**
   * A vector for each text, all of the same length, in the order of the texts.
   *
   * @param what what is searched, or what is asked: some models tell the two apart
   * @throws whatever the vendor did; the signal's reason
   */
  embed(
    texts: readonly string[],
    what: 'passages' | 'question',
    signal: AbortSignal,
  ): Promise<Float32Array[]>;
}
