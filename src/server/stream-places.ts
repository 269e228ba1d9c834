import type { EventEmitter } from 'node:events';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';
import { callerOf } from './caller.ts';
import type { ServerParts } from './parts.ts';

/** Who has as many streams as it may is asked to wait so long before it tries again. */
const RETRY_SECONDS = 5;

/**
 * Takes one of the streams that the limits of a key allow, by whichever door.
 *
 * @param until when that is closed, the place is free again
 * @throws AppError `rate_limited` where none is left
 */
export async function takeStreamPlace(
  { leases }: Pick<ServerParts, 'leases'>,
  request: FastifyRequest,
  until: EventEmitter & { destroyed: boolean },
): Promise<void> {
  const { key, identity } = callerOf(request);
  const limit = identity.limits.streams;
  if (limit === undefined) return;
  const lease = await leases.take(`streams:${key}`, request.id, limit);
  if (!lease) {
    throw new AppError('rate_limited', `This key may have ${limit} streams open`, {
      retryAfterSeconds: RETRY_SECONDS,
    });
  }
  until.once('close', () => lease.release());
  if (until.destroyed) lease.release();
}
