import { Drain } from '../../conversation/turn/run.ts';
import type { Draining } from '../keep-running.ts';

/** A run and the lock that it depends on. */
export interface Run extends Draining {
  /** When the lock was known to be ours, in `performance.now()`. */
  lockedAt: number;
  /** Fulfilled as the lock is given up for lost. */
  lost: PromiseWithResolvers<'lost'>;
  readonly ended: Promise<'ended'>;
}

/**
 * How long a lock holds without being renewed; it is renewed every 0.75 to 1.5 s, all locks of a process in one
 * script. An event loop that stands still for longer loses its conversations to others.
 */
export const LOCK_MS = 3000;
/** How often a run is asked whether its lock still holds. */
const LEASE_CHECK_MS = 500;

/** What runs in this process, each only as long as its lock is ours. */
export class Runs {
  readonly #runs = new Map<string, Run>();
  readonly #report: (error: unknown) => void;
  readonly #check: NodeJS.Timeout;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
    this.#check = setInterval(() => this.#giveUpOverdue(), LEASE_CHECK_MS);
  }

  get size(): number {
    return this.#runs.size;
  }

  /** In the order in which they began. */
  all(): Run[] {
    return [...this.#runs.values()];
  }

  /**
   * Begins a run.
   *
   * @param play given the end of the run of the same conversation that was before it; never rejected
   */
  begin(
    conversationId: string,
    play: (drain: Drain, before: Promise<unknown> | undefined) => Promise<void>,
  ): Run {
    // Its lock was lost, or its job would not be here again; it may still be about to notice.
    const before = this.#runs.get(conversationId);
    if (before) giveUp(before);
    const drain = new Drain();
    const ended = play(drain, before?.ended).then((): 'ended' => {
      if (this.#runs.get(conversationId) === run) this.#runs.delete(conversationId);
      return 'ended';
    });
    const run: Run = { drain, lockedAt: performance.now(), lost: Promise.withResolvers(), ended };
    this.#runs.set(conversationId, run);
    return run;
  }

  renewed(conversationIds: string[]): void {
    const now = performance.now();
    for (const run of this.#of(conversationIds)) run.lockedAt = now;
  }

  lost(conversationIds: string[]): void {
    this.#giveUpAll(this.#of(conversationIds), 'were lost');
  }

  close(): void {
    clearInterval(this.#check);
  }

  /** Redis may be out of reach and unable to say that a lock was lost; its time runs out all the same. */
  #giveUpOverdue(): void {
    const latest = performance.now() - LOCK_MS;
    const overdue = this.all().filter((run) => run.lockedAt < latest && !run.drain.isAborting);
    this.#giveUpAll(overdue, 'were not renewed in time');
  }

  #giveUpAll(runs: Run[], why: string): void {
    if (runs.length === 0) return;
    for (const run of runs) giveUp(run);
    this.#report(
      new Error(`The locks of ${runs.length} conversations ${why}: they go on elsewhere or later`),
    );
  }

  #of(conversationIds: string[]): Run[] {
    return conversationIds.flatMap((conversationId) => this.#runs.get(conversationId) ?? []);
  }
}

function giveUp(run: Run): void {
  run.drain.abort();
  run.lost.resolve('lost');
}
