import { setTimeout as delay } from 'node:timers/promises';
import { StorageRefusal } from '../conversation/log/refusal.ts';
import type { Drain } from '../conversation/turn/run.ts';

export interface RunParts {
  /** Runs one conversation until it is ended or paused, or the run has left. */
  run: (conversationId: string, drain: Drain) => Promise<void>;
  /** Ends one whose log refuses to be written. @throws where that can't be written either */
  giveUp: (conversationId: string, refusal: StorageRefusal) => Promise<void>;
  /** Notes that a conversation has its place here, where it had to wait for one. @throws whatever the storage throws */
  onPlace: (conversationId: string) => Promise<void>;
  onError: (conversationId: string, error: unknown, retryInMs: number) => void;
}

/** What a runner knows of a run. */
export interface Draining {
  readonly drain: Drain;
  /** Never rejected. */
  readonly ended: Promise<unknown>;
}

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;
/**
 * How long the calls under way may go on as a process leaves. Whatever ends within it isn't paid for twice and delays
 * nobody; together with what follows it has to fit into the 5 s of a shutdown.
 */
export const GRACE_MS = 2000;

/**
 * Runs a conversation until it is ended or paused, or the run has left, again after every error: what the storage
 * can't take now it may take later, and the log says where to go on. A log that refuses for good isn't run again,
 * for no answer could be kept; only its end is tried to be written. Never rejected.
 */
export async function keepRunning(
  { run, giveUp, onError }: Pick<RunParts, 'run' | 'giveUp' | 'onError'>,
  conversationId: string,
  drain: Drain,
): Promise<void> {
  let refusal: StorageRefusal | undefined;
  for (let retryInMs = FIRST_RETRY_MS; !drain.isLeaving; retryInMs = Math.min(retryInMs * 2, LAST_RETRY_MS)) {
    try {
      return await (refusal ? giveUp(conversationId, refusal) : run(conversationId, drain));
    } catch (error) {
      if (drain.isLeaving) return;
      if (error instanceof StorageRefusal) refusal = error;
      onError(conversationId, error, retryInMs);
      await pause(retryInMs, drain);
    }
  }
}

/** Notes that a conversation runs, again until the storage takes it or the run has left. Never rejected. */
export async function notePlace(
  { onPlace, onError }: Pick<RunParts, 'onPlace' | 'onError'>,
  conversationId: string,
  drain: Drain,
): Promise<void> {
  for (let retryInMs = FIRST_RETRY_MS; !drain.isLeaving; retryInMs = Math.min(retryInMs * 2, LAST_RETRY_MS)) {
    try {
      return await onPlace(conversationId);
    } catch (error) {
      onError(conversationId, error, retryInMs);
      await delay(retryInMs, undefined, { ref: false });
    }
  }
}

/** Waits, but no longer than until it is time to leave. */
async function pause(milliseconds: number, drain: Drain): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  drain.tell({ leave: resolve, abort: resolve });
  await promise;
  clearTimeout(timer);
}

/** Has runs leave, and aborts those that have not within the grace. Fulfilled when all have ended. */
export async function drainRun(runs: readonly Draining[]): Promise<void> {
  for (const { drain } of runs) drain.leave();
  const timer = setTimeout(() => {
    for (const { drain } of runs) drain.abort();
  }, GRACE_MS);
  await Promise.all(runs.map(({ ended }) => ended));
  clearTimeout(timer);
}
