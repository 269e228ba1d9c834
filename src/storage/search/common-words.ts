/** Of so many messages the latest are counted. */
const WINDOW = 256;
/** Fewer don't tell which words are common. */
const FEWEST = 16;
/** Most common words, and the share of messages that has each of them at least. */
const MOST = 64;
const LEAST_SHARE = 0.05;

/** Which words many messages have, as far as the latest of them tell. */
export class CommonWords {
  #messages = new Map<string, number>();
  #seen = 0;
  #known: readonly string[] | undefined;

  see(words: readonly string[]): void {
    for (const word of new Set(words)) this.#messages.set(word, (this.#messages.get(word) ?? 0) + 1);
    if (++this.#seen < WINDOW) return;
    this.#known = this.#most();
    this.#messages = new Map();
    this.#seen = 0;
  }

  /** The most common first; undefined while too few messages were seen. */
  most(): readonly string[] | undefined {
    return this.#known ?? (this.#seen < FEWEST ? undefined : this.#most());
  }

  #most(): string[] {
    return [...this.#messages]
      .filter(([, messages]) => messages >= this.#seen * LEAST_SHARE)
      .sort(([, left], [, right]) => right - left)
      .slice(0, MOST)
      .map(([word]) => word);
  }
}

/** Buckets of a set; a power of two. */
const BUCKETS = 1024;

/**
 * A few words. Whether a word is among them is told by its length and two of its characters, mostly: the hash that a
 * `Set` takes of each piece of a text would be a third of what indexing it costs.
 */
export class WordSet {
  readonly #buckets: string[][] = [];
  readonly size: number;

  constructor(words: readonly string[]) {
    for (let index = 0; index < BUCKETS; index++) this.#buckets.push([]);
    for (const word of words) this.#bucketOf(word)?.push(word);
    this.size = words.length;
  }

  has(word: string): boolean {
    const bucket = this.#bucketOf(word);
    return bucket !== undefined && bucket.length > 0 && bucket.includes(word);
  }

  #bucketOf(word: string): string[] | undefined {
    const { length } = word;
    const key = length * 961 + word.charCodeAt(0) * 31 + word.charCodeAt(length - 1);
    return this.#buckets[key & (BUCKETS - 1)];
  }
}
