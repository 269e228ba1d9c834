import type { ProviderError } from './provider.ts';

const LONGEST_DELAY_MS = 120_000;
/** What a vendor may ask for; whoever asks for more will not be back within a conversation. */
const LONGEST_ASKED_MS = 3_600_000;

export interface RetrySettings {
  /** In all, the first included. */
  tries: number;
  /** Milliseconds before the second try; it doubles from there. */
  firstDelayMs: number;
}

export const DEFAULT_RETRY: RetrySettings = { tries: 5, firstDelayMs: 2000 };

/**
 * How long to wait before the next try at a turn, in milliseconds: 2 s, doubled with each try, ±20 %, at most
 * 120 s, and never less than the vendor asked for.
 *
 * @param triesSoFar 1 after the first
 * @param random from 0 to below 1
 * @returns undefined when this failure is final
 */
export function retryDelayMs(
  { retryable, retryAfterMs = 0 }: Pick<ProviderError, 'retryable' | 'retryAfterMs'>,
  triesSoFar: number,
  random: () => number,
  { tries, firstDelayMs }: RetrySettings = DEFAULT_RETRY,
): number | undefined {
  if (!retryable || triesSoFar >= tries || retryAfterMs > LONGEST_ASKED_MS) return undefined;
  const backOff = firstDelayMs * 2 ** (triesSoFar - 1) * (0.8 + 0.4 * random());
  return Math.ceil(Math.max(Math.min(backOff, LONGEST_DELAY_MS), retryAfterMs));
}
