import { Drain } from '../conversation/turn/run.ts';
import { type Draining, drainRun, keepRunning, notePlace, type RunParts } from './keep-running.ts';
import type { Place, Runner } from './runner.ts';

export interface LocalRunnerParts extends RunParts {
  maxActive: number;
  /** The conversations that are to run, oldest first. */
  unfinished: () => Promise<string[]>;
}

/** Runs conversations in this process, `maxActive` at a time; the others wait in the order of their coming. */
export class LocalRunner implements Runner {
  readonly #parts: LocalRunnerParts;
  readonly #running = new Map<string, Draining>();
  readonly #waiting = new Set<string>();
  /** Of those that run, the ones whose log was written to by others. */
  readonly #woken = new Set<string>();
  readonly #reserved = new Set<Place>();
  #left: Promise<void> | undefined;

  constructor(parts: LocalRunnerParts) {
    this.#parts = parts;
  }

  reserve(): Place | undefined {
    if (this.#left || !this.#hasRoom() || this.#waiting.size > 0) return undefined;
    const place: Place = {
      release: () => {
        if (this.#reserved.delete(place)) this.#fill();
      },
    };
    this.#reserved.add(place);
    return place;
  }

  start(conversationId: string, place?: Place): void {
    if (this.#left || this.#running.has(conversationId)) return;
    if (place && this.#reserved.delete(place)) return this.#run(conversationId);
    this.#waiting.add(conversationId);
    this.#fill();
  }

  wake(conversationId: string): void {
    if (this.#running.has(conversationId)) this.#woken.add(conversationId);
    else this.start(conversationId);
  }

  async resume(): Promise<number> {
    const unfinished = await this.#parts.unfinished();
    for (const conversationId of unfinished) this.start(conversationId);
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

  #fill(): void {
    for (const conversationId of this.#waiting) {
      if (!this.#hasRoom()) return;
      this.#waiting.delete(conversationId);
      this.#run(conversationId, 'placed');
    }
  }

  #run(conversationId: string, how?: 'placed'): void {
    const drain = new Drain();
    if (how === 'placed') void notePlace(this.#parts, conversationId, drain);
    const ended = keepRunning(this.#parts, conversationId, drain).finally(() => {
      this.#running.delete(conversationId);
      if (this.#woken.delete(conversationId)) this.start(conversationId);
      this.#fill();
    });
    this.#running.set(conversationId, { drain, ended });
  }
}
