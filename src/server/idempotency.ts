import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { invalid } from '../errors.ts';
import { DEFAULT_TENANT } from '../protocol/events.ts';
import { type Caller, callerOf } from './caller.ts';

/** A request's idempotency key, and what tells its body from another; docs/protocol.md, section 2.6. */
export interface Idempotency {
  key: string;
  bodyHash: string;
}

/**
 * Reads the header; null where there is none.
 *
 * @param path of what is asked for, where the same body would mean something else elsewhere
 * @param body what came, where that isn't the request's body
 * @throws AppError `validation_failed` where it isn't 1 to 255 printable characters
 */
export function idempotencyOf(
  request: FastifyRequest,
  path?: string,
  body: unknown = request.body,
): Idempotency | null {
  const { headers } = request;
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key !== 'string' || !/^[\x20-\x7e]{1,255}$/.test(key)) {
    throw invalid([{ path: 'Idempotency-Key', message: 'takes 1 to 255 printable characters' }]);
  }
  return {
    key: scoped(key, callerOf(request)),
    bodyHash: hashOf(path === undefined ? body : { path, body }),
  };
}

/** Belongs to one tenant. No header has a line break, so that none of these is another's. */
function scoped(key: string, { tenant }: Caller): string {
  return tenant === DEFAULT_TENANT ? key : `${tenant}\n${key}`;
}

/** The same for bodies that are the same as parsed JSON, whatever the order of their fields. */
function hashOf(body: unknown): string {
  const sorted = JSON.stringify(body, (_key, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
      : value,
  );
  return sha256(sorted ?? '');
}

/** In hex. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
