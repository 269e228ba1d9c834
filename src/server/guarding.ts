import type { FastifyRequest } from 'fastify';
import type { ConversationSettings } from '../conversation/log/settings.ts';
import type { GuardFinding } from '../conversation/stages/guard.ts';
import { lookAtTexts, type Tell } from '../conversation/stages/inward.ts';
import type { ServerParts } from './parts.ts';

/** Counts and writes down what guards found in a request; no text of it. */
export function tellOf(
  { metrics }: Pick<ServerParts, 'metrics'>,
  { log }: Pick<FastifyRequest, 'log'>,
): Tell {
  return (found) => {
    metrics.guardFound('in', found);
    log.info({ found }, 'guard.found_in_request');
  };
}

/**
 * What people say to a conversation, as its guards let it pass.
 *
 * @returns the body with the texts of these fields as they may pass, and what was found in them
 * @throws AppError `validation_failed` that names what is blocked
 */
export async function guardedBody<Body extends object>(
  parts: Pick<ServerParts, 'guards' | 'metrics'>,
  request: Pick<FastifyRequest, 'log'>,
  { guard: wanted }: Pick<ConversationSettings, 'guard'>,
  body: Body,
  fields: readonly (keyof Body & string)[],
): Promise<{ body: Body; found: readonly GuardFinding[] }> {
  const guard = parts.guards.of(wanted);
  if (!guard) return { body, found: [] };
  const given = Object.fromEntries(fields.map((field) => [field, body[field] as string | undefined]));
  const { texts, found } = await lookAtTexts(guard, given, tellOf(parts, request));
  return { body: { ...body, ...Object.fromEntries(texts) }, found };
}
