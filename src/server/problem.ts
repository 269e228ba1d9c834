import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';
import { ERRORS, type ErrorCode, type Problem } from '../protocol/problem.ts';
import { asksForWebSocket } from './upgrade.ts';

/** What Fastify and its plugins refuse themselves, by the status they would have answered with. */
const CODE_BY_STATUS: Record<number, ErrorCode> = {
  400: 'validation_failed',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  503: 'overloaded',
};

/** Of the documentation's files and of paths that are too long or not text: there is no such thing here. */
const NOTHING_THERE: ReadonlySet<number> = new Set([403, 404, 414, 416]);

/**
 * Every failure, also of the router and of the body's parser, leaves as a problem.
 *
 * @param refusalOf what the scopes of the routes would have said before; those of no route aren't in any
 */
export function registerProblems(
  app: FastifyInstance,
  refusalOf: (request: FastifyRequest) => AppError | undefined,
): void {
  app.setErrorHandler((error: FastifyError | AppError, request, reply) => sendProblem(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      refusalOf(request) ?? new AppError('not_found', `There is no ${request.method} ${pathOf(request)}`),
      request,
      reply,
    ),
  );
}

export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = failureIn(error, request);
  const { status, title } = ERRORS[failure.code];
  const body: Problem = {
    type: `urn:problem:${failure.code}`,
    title,
    status,
    detail: failure.message,
    instance: pathOf(request),
    code: failure.code,
    ...(failure.faults.length > 0 ? { errors: [...failure.faults] } : {}),
  };
  if (failure.retryAfterSeconds !== undefined) reply.header('retry-after', failure.retryAfterSeconds);
  // The connection of a handshake that is refused is closed behind its answer.
  if (asksForWebSocket(request.raw)) reply.header('connection', 'close');
  return reply.code(status).header('content-type', 'application/problem+json').send(JSON.stringify(body));
}

/** What is told of an error: itself where it is of our table, and nothing but the request's id where it is a fault. */
export function failureIn(error: unknown, request: FastifyRequest): AppError {
  const known = error instanceof AppError ? error : fromFramework(error);
  if (!known) request.log.error({ error }, 'request.failed');
  return known ?? new AppError('internal', `The log tells more under the request id ${request.id}`);
}

function fromFramework(error: unknown): AppError | undefined {
  const { statusCode = 500, code, message } = error as FastifyError;
  if (code === 'FST_ERR_BAD_URL' || NOTHING_THERE.has(statusCode)) return new AppError('not_found', message);
  const known = CODE_BY_STATUS[statusCode];
  return known && new AppError(known, message);
}

function pathOf({ url }: FastifyRequest): string {
  return url.split('?', 1)[0] ?? url;
}
