import { Drain } from '../conversation/turn/run.ts';
import { type Draining, drainRun, keepRunning, notePlace, type RunParts } from './keep-running.ts';
import type { Owner, Place, Runner } from './runner.ts';
import { WaitingRoom } from './waiting.ts';

export interface LocalRunnerParts extends RunParts {
  maxActive: number;
  /** How many of those that a key made run at once; undefined: without limit. */
  activeLimitOf: (key: string) => number | undefined;
  /** The conversations that are to run, oldest first. */
  unfinished: () => Promise<string[]>;
  /** Whose one is that an earlier process made. */
  ownerOf: (conversationId: string) => Owner;
}

/**
 * Runs conversations in this process, `maxActive` at a time. The others wait: between tenants places are given out by
 * turns, and those of a key that has as many as it may wait for one of its own to end.
 */
export class LocalRunner implements Runner {
  readonly #parts: LocalRunnerParts;
  readonly #running = new Map<string, Draining>();
  readonly #waiting = new WaitingRoom();
  /** Of those that run, the ones whose log was written to by others. */
  readonly #woken = new Set<string>();
  readonly #reserved = new Set<Place>();
  /** How many places each key has. */
  readonly #held = new Map<string, number>();
  #left: Promise<void> | undefined;

  constructor(parts: LocalRunnerParts) {
    this.#parts = parts;
  }

  reserve(owner: Owner): Place | undefined {
    // Who waits while there is room waits for its key, and not for a place.
    if (this.#left || !this.#hasRoom() || !this.#mayRun(owner)) return undefined;
    const place: Place = {
      release: () => {
        if (!this.#reserved.delete(place)) return;
        this.#hold(owner, -1);
        this.#fill();
      },
    };
    this.#reserved.add(place);
    this.#hold(owner, 1);
    this.#waiting.served(owner);
    return place;
  }

  start(conversationId: string, owner: Owner, place?: Place): void {
    if (this.#left || this.#running.has(conversationId)) return;
    if (place && this.#reserved.delete(place)) return this.#run(conversationId, owner);
    this.#waiting.add(conversationId, owner);
    this.#fill();
  }

  wake(conversationId: string, owner: Owner): void {
    if (this.#running.has(conversationId)) this.#woken.add(conversationId);
    else this.start(conversationId, owner);
  }

  async resume(): Promise<number> {
    const unfinished = await this.#parts.unfinished();
    for (const conversationId of unfinished) {
      this.start(conversationId, this.#parts.ownerOf(conversationId));
    }
    return unfinished.length;
  }

  active(): number {
    return this.#running.size;
  }

  async depth(): Promise<{ waiting: number; active: number; delayed: number }> {
    return { waiting: this.#waiting.size, active: this.#running.size, delayed: 0 };
  }

  leave(): void {
    this.#waiting.clear();
    this.#left ??= drainRun([...this.#running.values()]);
  }

  async drain(): Promise<void> {
    this.leave();
    await this.#left;
  }

  #hasRoom(): boolean {
    return this.#running.size + this.#reserved.size < this.#parts.maxActive;
  }

  #mayRun({ key }: Owner): boolean {
    if (key === undefined) return true;
    return (this.#held.get(key) ?? 0) < (this.#parts.activeLimitOf(key) ?? Infinity);
  }

  #hold({ key }: Owner, change: 1 | -1): void {
    if (key === undefined) return;
    const held = (this.#held.get(key) ?? 0) + change;
    if (held === 0) this.#held.delete(key);
    else this.#held.set(key, held);
  }

  #fill(): void {
    while (this.#waiting.size > 0 && this.#hasRoom()) {
      const next = this.#waiting.take((owner) => this.#mayRun(owner));
      if (!next) return;
      this.#hold(next.owner, 1);
      this.#waiting.served(next.owner);
      this.#run(next.conversationId, next.owner, 'placed');
    }
  }

  /** In a place that is held for it. */
  #run(conversationId: string, owner: Owner, how?: 'placed'): void {
    const drain = new Drain();
    if (how === 'placed') void notePlace(this.#parts, conversationId, drain);
    const ended = keepRunning(this.#parts, conversationId, drain).finally(() => {
      this.#running.delete(conversationId);
      this.#hold(owner, -1);
      if (this.#woken.delete(conversationId)) this.start(conversationId, owner);
      this.#fill();
    });
    this.#running.set(conversationId, { drain, ended });
  }
}
