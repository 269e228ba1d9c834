import { StorageRefusal } from '../../conversation/log/refusal.ts';
import { AppError } from '../../errors.ts';

/** An answer that takes longer, in milliseconds, is not waited for. */
const PATIENCE_MS = 2000;
const RETRY_AFTER_SECONDS = 5;

/**
 * What Redis says when it can't at the moment, but may later (createSharedObjects in its src/server.c). Before
 * version 7 the answer to a command within a script stands behind where it was called.
 */
const TRANSIENT =
  /^(ERR Error running script .*: -?)?(OOM|READONLY|LOADING|BUSY|MISCONF|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|TRYAGAIN)\b/;

/** Rights that this server's user has not, or no more, which no waiting gives back. */
const REFUSAL = /^(ERR Error running script .*: -?)?(NOPERM|NOAUTH|WRONGPASS|WRONGTYPE)\b/;

/**
 * Waits for Redis, but not for long. A change that was not answered may still have been made.
 *
 * @throws AppError `overloaded` where Redis doesn't answer, can't be reached, or can't take it now; StorageRefusal
 * where this server may not write it
 */
export async function answered<T>(asked: Promise<T>): Promise<T> {
  const { promise: tooLate, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(overloaded('Redis does not answer')), PATIENCE_MS);
  try {
    return await Promise.race([asked, tooLate]);
  } catch (error) {
    throw toFailure(error);
  } finally {
    clearTimeout(timer);
  }
}

/** Whether Redis itself said no; what else can fail is the way to it. */
export function isRefusal(error: unknown): error is Error {
  return (error as Error).name === 'ReplyError';
}

function toFailure(error: unknown): unknown {
  if (error instanceof AppError) return error;
  if (!isRefusal(error)) return overloaded(`Redis can't be reached (${(error as Error).message})`);
  if (TRANSIENT.test(error.message)) return overloaded(error.message);
  return REFUSAL.test(error.message) ? new StorageRefusal(error.message) : error;
}

export function overloaded(why: string): AppError {
  return new AppError('overloaded', `The storage can't take more at the moment: ${why}`, {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
