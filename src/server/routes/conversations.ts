import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { newConversation } from '../../conversation/log/creation.ts';
import type { Ending } from '../../conversation/log/events.ts';
import type { ConversationRecord } from '../../conversation/log/log.ts';
import { endConversation } from '../../conversation/log/shared-queue.ts';
import { notFound } from '../../errors.ts';
import { conversation } from '../../protocol/conversation.ts';
import { creationRequest } from '../../protocol/creation.ts';
import { conversationList } from '../../protocol/lists.ts';
import { problem } from '../../protocol/problem.ts';
import { conversationsQuery, idParameter, labelsIn, terminationRequest } from '../../protocol/requests.ts';
import { callerOf } from '../caller.ts';
import { viewConversation } from '../conversation-view.ts';
import { createConversation, settingsFor } from '../creation.ts';
import { guardedBody, tellOf } from '../guarding.ts';
import { idempotencyOf } from '../idempotency.ts';
import type { ServerParts } from '../parts.ts';

const ID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/** The record of the conversation that a request's path names. @throws AppError `not_found` */
export function findConversation(
  parts: Pick<ServerParts, 'catalog'>,
  request: FastifyRequest,
): Promise<ConversationRecord> {
  const { id } = request.params as { id: string };
  return findById(parts, request, id);
}

/**
 * The record of a conversation, for who asks.
 *
 * @throws AppError `not_found`, also where the id is no id, or it is another tenant's
 */
export async function findById(
  { catalog }: Pick<ServerParts, 'catalog'>,
  request: FastifyRequest,
  id: string,
): Promise<ConversationRecord> {
  const record = ID.test(id) ? await catalog.get(callerOf(request).reads, id) : undefined;
  if (!record) throw notFound('There is no conversation with this id');
  return record;
}

export function registerConversations(server: FastifyInstance, parts: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.post(
    '/conversations',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'createConversation',
        summary: 'Start a conversation',
        description:
          'Only `topic` is needed. Without `agents` the first two configured vendors talk, or the embedded ' +
          'pair where none is. Send an `Idempotency-Key` to make a repeated call harmless for 24 hours.',
        tags: ['conversations'],
        headers: z.object({ 'idempotency-key': z.string().optional() }),
        body: creationRequest(parts.maxMessageLength),
        response: { 201: conversation, 400: problem, 413: problem, 415: problem, 422: problem, 503: problem },
      },
    },
    async (request, reply) => {
      const idempotency = idempotencyOf(request);
      const { tenant, key } = callerOf(request);
      const wanted = await settingsFor(request.body, tenant, parts, tellOf(parts, request));
      const { record, replayed } = await createConversation(
        parts,
        { ...wanted, tenant, key, idempotency },
        newConversation,
      );
      if (!replayed) request.log.info({ conversation_id: record.id }, 'conversation.created');
      if (replayed) reply.header('idempotency-replayed', 'true');
      return reply.code(201).header('location', `/conversations/${record.id}`).send(viewConversation(record));
    },
  );

  app.get(
    '/conversations',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'listConversations',
        summary: 'List conversations, newest first',
        tags: ['conversations'],
        querystring: conversationsQuery,
        response: {
          200: conversationList,
          400: problem,
        },
      },
    },
    async (request) => {
      const { status, provider, q, createdAfter, createdBefore, limit, cursor } = request.query;
      const labels = labelsIn(request.query);
      const filter = { status, provider, q, createdAfter, createdBefore, labels };
      const { items, nextCursor } = await parts.catalog.list(callerOf(request).reads, filter, {
        limit,
        cursor,
      });
      return { items: items.map(viewConversation), nextCursor };
    },
  );

  app.get(
    '/conversations/:id',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'getConversation',
        summary: 'Read a conversation',
        tags: ['conversations'],
        params: idParameter,
        response: { 200: conversation, 404: problem },
      },
    },
    async (request) => viewConversation(await findConversation(parts, request)),
  );

  app.post(
    '/conversations/:id/terminate',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'terminateConversation',
        summary: 'End a conversation',
        description: 'Ends it at once, the call in flight too. Ending it again answers the same.',
        tags: ['conversations'],
        params: idParameter,
        body: terminationRequest,
        response: { 200: conversation, 400: problem, 404: problem },
      },
    },
    async (request) => {
      const record = await findConversation(parts, request);
      const { body } = await guardedBody(parts, request, record.settings, request.body ?? {}, ['detail']);
      await endByUser(parts, record, body.detail);
      return viewConversation(await findConversation(parts, request));
    },
  );

  app.delete(
    '/conversations/:id',
    {
      config: { scope: 'conversations:write' },
      schema: {
        operationId: 'deleteConversation',
        summary: 'Remove a conversation and every trace of it',
        tags: ['conversations'],
        params: idParameter,
        response: { 204: z.undefined().meta({ description: 'It is gone.' }), 404: problem },
      },
    },
    async (request, reply) => {
      const record = await findConversation(parts, request);
      await endByUser(parts, record, 'deleted');
      if (!(await parts.catalog.delete(record.tenant, record.id)))
        throw notFound('There is no conversation with this id');
      return reply.code(204).send();
    },
  );
}

/** Ends a conversation by who asks, wherever it runs. */
export async function endByUser(
  parts: Pick<ServerParts, 'log' | 'catalog' | 'observe'>,
  { id, turns }: ConversationRecord,
  detail: string | undefined,
): Promise<void> {
  const ending: Ending = { reason: 'user', ...(detail === undefined ? {} : { detail }), by: 'user' };
  const { outcome } = await endConversation(parts, id, ending, new Date());
  if (outcome === 'appended')
    parts.observe({ type: 'conversation.ended', conversationId: id, ending, turns });
}
