interface Slot<Value> {
  readonly word: string;
  readonly value: Value;
  /** Of another word with the same hash. */
  readonly next: Slot<Value> | undefined;
}

/**
 * A map from words to values, to look up words that are cut out of texts. The language's own Map first puts every
 * such word into the engine's table of strings, whether it is a key or not, which costs two to four times as much
 * and fills that table with what people say.
 */
export class WordTable<Value> {
  readonly #slots = new Map<number, Slot<Value>>();
  readonly size: number;

  /** @param entries of a word that comes again the last one counts */
  constructor(entries: Iterable<readonly [word: string, value: Value]>) {
    const words = new Map(entries);
    this.size = words.size;
    for (const [word, value] of words) {
      const hash = hashOf(word);
      this.#slots.set(hash, { word, value, next: this.#slots.get(hash) });
    }
  }

  get(word: string): Value | undefined {
    let slot = this.#slots.get(hashOf(word));
    while (slot && slot.word !== word) slot = slot.next;
    return slot?.value;
  }
}

/** FNV-1a over UTF-16 units, 32 bit: https://datatracker.ietf.org/doc/html/draft-eastlake-fnv */
function hashOf(word: string): number {
  let hash = 0x811c9dc5 | 0;
  for (let index = 0; index < word.length; index++) {
    hash = Math.imul(hash ^ word.charCodeAt(index), 0x01000193);
  }
  return hash;
}
