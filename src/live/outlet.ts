import type { AttemptUnderWay } from '../conversation/stream/frames.ts';
import type { Said } from './messages.ts';

/**
 * What an instance that runs a conversation says of it to other instances, which is nothing unless one of
 * them watches. Who watches is learnt in three ways:
 * - A watcher that comes says `watch`, and gets a snapshot.
 * - Each publish tells how many heard it. This instance listens too, so one means nobody else. On a Redis
 *   Cluster a node counts only its own clients, so there the count means nothing; instead each `started` asks
 *   who is there, and where nobody answered the last, the next isn't said.
 * - A run may take the place of one that was watched, or messages may have been lost: then somebody may be
 *   there, and the next publish will tell.
 *
 * One piece of text at a time is on its way to Redis. What is said meanwhile goes together in the next, so
 * that a slow Redis makes for fewer pieces and never for a queue of them; and what comes too late to be said
 * stands in the message, from which watchers complete it. The first piece of an attempt waits for the answer to its
 * start only where that is to tell whether anybody is there.
 */
export class Outlet {
  readonly #publish: (message: Said) => Promise<number>;
  readonly #countsAll: boolean;
  #attempt: AttemptUnderWay | undefined;
  /** How much of its text was handed on, in UTF-16 units. */
  #published = 0;
  /** Whether watchers need all of the text again, not only what is new. */
  #owing = false;
  /** What is on its way and has to be answered before the next piece. */
  #inFlight = 0;
  /** Whether somebody elsewhere may be watching. */
  #watched = true;
  /** Whether somebody is: they asked, or were counted with the last answer. */
  #heard = false;
  #asks = 0;
  /** How often was asked when the last start was said; undefined where nobody need have answered. */
  #asksAtStart: number | undefined;
  #broken = false;

  /**
   * @param publish says how many clients heard it
   * @param countsAll whether that is all of them, this instance among them
   */
  constructor(publish: (message: Said) => Promise<number>, countsAll: boolean) {
    this.#publish = publish;
    this.#countsAll = countsAll;
  }

  /** The attempt that is made here. */
  get attempt(): AttemptUnderWay | undefined {
    return this.#attempt;
  }

  started(attempt: AttemptUnderWay): void {
    this.#attempt = attempt;
    this.#published = attempt.text.length;
    this.#owing = false;
    if (this.#broken) this.#watched = true;
    else if (!this.#countsAll && this.#asks === this.#asksAtStart) this.#isUnheard();
    this.#broken = false;
    if (!this.#watched) return;
    this.#asksAtStart = this.#asks;
    const { text: _, ...started } = attempt;
    void this.#say({ started, renew: !this.#countsAll }, !this.#heard);
  }

  /** The attempt's text has grown. */
  said(): void {
    if (this.#watched && this.#inFlight === 0) this.#sayMore();
  }

  failed({ id }: AttemptUnderWay, failure: { error: string; retryInMs: number | null }): void {
    if (this.#attempt?.id !== id) return;
    this.#attempt = undefined;
    if (this.#watched) void this.#say({ failed: { attempt: id, ...failure } });
  }

  /** The log has grown: the attempt, if it began before that, is over. */
  appended(lastSeq: number): void {
    if (this.#attempt && this.#attempt.afterSeq < lastSeq) this.#attempt = undefined;
  }

  /** Somebody elsewhere watches, and follows this attempt, or needs to be told what is under way. */
  asked(follows: string | null): void {
    this.#asks++;
    this.#watched = true;
    this.#heard = true;
    if (this.#attempt === undefined || this.#attempt.id === follows) return;
    this.#owing = true;
    this.#sayMore();
  }

  /** What was said, or asked, may have been lost. */
  again(): void {
    this.#watched = true;
    this.#broken = false;
    this.#asksAtStart = undefined;
    this.#owing = this.#attempt !== undefined;
    this.#sayMore();
  }

  #sayMore(): void {
    const attempt = this.#attempt;
    if (attempt === undefined || !this.#watched || this.#inFlight > 0) return;
    const from = this.#published;
    const { id, afterSeq, text } = attempt;
    if (!this.#owing && from === text.length) return;
    this.#published = text.length;
    if (this.#owing) void this.#say({ snapshot: { ...attempt } });
    else void this.#say({ delta: { attempt: id, afterSeq, from, text: text.slice(from) } });
    this.#owing = false;
  }

  #isUnheard(): void {
    this.#watched = false;
    this.#heard = false;
  }

  /** @param holds whether pieces wait for the answer */
  async #say(message: Said, holds = true): Promise<void> {
    if (holds) this.#inFlight++;
    const asks = this.#asks;
    try {
      const heard = await this.#publish(message);
      // Who asked meanwhile came after it was counted.
      if (this.#countsAll && heard > 1) this.#heard = true;
      else if (this.#countsAll && asks === this.#asks) this.#isUnheard();
    } catch {
      // Nothing is tried again before the connection is back (`again`), or somebody asks, or the next attempt.
      this.#isUnheard();
      this.#broken = true;
    }
    if (holds) this.#inFlight--;
    this.#sayMore();
  }
}
