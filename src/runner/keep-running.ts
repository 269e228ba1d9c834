import { setTimeout as delay } from 'node:timers/promises';

export interface RunParts {
  /** Runs one conversation until it is ended or the signal is aborted. */
  run: (conversationId: string, signal: AbortSignal) => Promise<void>;
  onError: (conversationId: string, error: unknown, retryInMs: number) => void;
}

const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 60_000;

/**
 * Runs a conversation until it is ended or the signal is aborted, again after every error: what the storage
 * can't take now it may take later, and the log says where to go on. Never rejected.
 */
export async function keepRunning(
  { run, onError }: RunParts,
  conversationId: string,
  signal: AbortSignal,
): Promise<void> {
  for (let retryInMs = FIRST_RETRY_MS; !signal.aborted; retryInMs = Math.min(retryInMs * 2, LAST_RETRY_MS)) {
    try {
      return await run(conversationId, signal);
    } catch (error) {
      if (signal.aborted) return;
      onError(conversationId, error, retryInMs);
      await delay(retryInMs, undefined, { signal }).catch(() => {});
    }
  }
}
