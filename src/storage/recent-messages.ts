import type { ContextMessage } from '../conversation/log/log.ts';

/** Characters of messages kept in memory, of all conversations together. */
const MAX_CHARACTERS = 64 * 1024 * 1024;

interface Tail {
  messages: ContextMessage[];
  /** The seq of the last event that it knows of. */
  lastSeq: number;
  /** How many messages it keeps. */
  limit: number;
  characters: number;
}

/**
 * The last messages of the conversations that are running, so that a turn need not read back what was
 * written a moment ago. It only ever repeats what is durable; what it doesn't have is read from the storage.
 */
export class RecentMessages {
  readonly #tails = new Map<string, Tail>();
  /** The reading under way of each conversation whose log hasn't moved since it began. */
  readonly #readings = new Map<string, object>();
  #characters = 0;

  get(conversationId: string, limit: number): ContextMessage[] | undefined {
    const tail = this.#tails.get(conversationId);
    return tail && tail.limit >= limit ? tail.messages.slice(-limit) : undefined;
  }

  /**
   * Reads the last `limit` messages and remembers them, unless the log moved on or was dropped meanwhile: then
   * they may be behind it.
   */
  async read(
    conversationId: string,
    limit: number,
    read: () => Promise<{ messages: ContextMessage[]; lastSeq: number }>,
  ): Promise<ContextMessage[]> {
    const reading = {};
    this.#readings.set(conversationId, reading);
    try {
      const { messages, lastSeq } = await read();
      const isCurrent = this.#readings.get(conversationId) === reading;
      if (isCurrent && messages.length > 0) this.set(conversationId, limit, messages, lastSeq);
      return messages;
    } finally {
      if (this.#readings.get(conversationId) === reading) this.#readings.delete(conversationId);
    }
  }

  /** Remembers the last `limit` messages of a log that ends at `lastSeq`. */
  set(conversationId: string, limit: number, messages: readonly ContextMessage[], lastSeq: number): void {
    this.drop(conversationId);
    const kept = messages.slice(-limit);
    const characters = kept.reduce((sum, { content }) => sum + content.length, 0);
    this.#tails.set(conversationId, { messages: kept, lastSeq, limit, characters });
    this.#characters += characters;
    this.#evict();
  }

  /**
   * Follows the log of a conversation that is remembered; what doesn't follow on is not believed.
   *
   * @param messages those among the events from `expectedSeq` to `lastSeq`
   */
  follow(
    conversationId: string,
    expectedSeq: number,
    messages: readonly ContextMessage[],
    lastSeq: number,
  ): void {
    this.#readings.delete(conversationId);
    const tail = this.#tails.get(conversationId);
    if (!tail) return;
    if (tail.lastSeq !== expectedSeq) return this.drop(conversationId);
    tail.lastSeq = lastSeq;
    for (const message of messages) {
      tail.messages.push(message);
      let change = message.content.length;
      if (tail.messages.length > tail.limit) change -= tail.messages.shift()?.content.length ?? 0;
      tail.characters += change;
      this.#characters += change;
    }
    this.#evict();
  }

  drop(conversationId: string): void {
    this.#readings.delete(conversationId);
    const tail = this.#tails.get(conversationId);
    if (!tail) return;
    this.#characters -= tail.characters;
    this.#tails.delete(conversationId);
  }

  /** The longest remembered go first. */
  #evict(): void {
    for (const conversationId of this.#tails.keys()) {
      if (this.#characters <= MAX_CHARACTERS) return;
      this.drop(conversationId);
    }
  }
}
