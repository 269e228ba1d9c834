import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';

const WINDOW_MS = 60_000;

const limitOf = ({ caller }: FastifyRequest): number | undefined => caller?.identity.limits.requestsPerMinute;

/**
 * Has the routes of a scope refuse the requests of a key beyond what it may make in a minute, and tell it in each
 * answer what is left.
 *
 * @param shared where all instances count together: a connection to Redis, under a prefix
 */
export async function limitRequests(
  scope: FastifyInstance,
  shared: { connection: object; prefix: string } | undefined,
): Promise<void> {
  await scope.register(rateLimit, {
    keyGenerator: ({ caller }) => caller?.key ?? '',
    allowList: (request) => limitOf(request) === undefined,
    max: (request) => limitOf(request) ?? Infinity,
    timeWindow: WINDOW_MS,
    enableDraftSpec: true,
    // While Redis doesn't answer, nobody knows what is left, and nobody is refused for it.
    skipOnError: true,
    ...(shared ? { redis: shared.connection, nameSpace: `${shared.prefix}:requests:` } : {}),
    errorResponseBuilder: (_request, { max, ttl }) =>
      new AppError('rate_limited', `This key may make ${max} requests a minute`, {
        retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1000)),
      }),
  });
}
