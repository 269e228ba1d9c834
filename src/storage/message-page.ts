import type { Message } from '../conversation/log/events.ts';
import { PAGE_CHARACTERS, type Page } from '../conversation/log/log.ts';
import { includes } from './matching.ts';

/** Characters of JSON that are looked at for one page, where few messages match: about 20 ms of work. */
const MOST_LOOKED_AT = 4 * PAGE_CHARACTERS;

/** A page of messages while it is filled, bounded in messages, in their characters, and in what is looked at. */
export class MessagePage {
  readonly #wanted: { sender?: string | undefined; q?: string | undefined };
  readonly #limit: number;
  readonly #items: Message[] = [];
  #characters = 0;
  #lookedAt = 0;
  #last = 0;
  /** Whether one more was found than has room. */
  #isOver = false;

  constructor(wanted: { sender?: string | undefined; q?: string | undefined }, limit: number) {
    this.#wanted = wanted;
    this.#limit = limit;
  }

  /**
   * Looks at the next message.
   *
   * @param characters of its JSON
   * @returns whether to go on with the one behind it
   */
  look(message: Message, characters: number): boolean {
    const { sender, q } = this.#wanted;
    this.#lookedAt += characters;
    const isWanted =
      (sender === undefined || message.sender === sender) &&
      (q === undefined || includes(message.content, q));
    this.#isOver = isWanted && (this.#items.length >= this.#limit || this.#characters >= PAGE_CHARACTERS);
    if (this.#isOver) return false;
    this.#last = message.seq;
    if (isWanted) {
      this.#items.push(message);
      this.#characters += characters;
    }
    return this.#lookedAt < MOST_LOOKED_AT;
  }

  /** @param isEnd whether there was no message behind the last one looked at */
  end(isEnd: boolean): Page<Message> {
    if (isEnd) return { items: this.#items, nextCursor: null };
    return { items: this.#items, nextCursor: String(this.#isOver ? this.#items.at(-1)?.seq : this.#last) };
  }
}
