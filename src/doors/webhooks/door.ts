import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { problem } from '../../protocol/problem.ts';
import { idParameter } from '../../protocol/requests.ts';
import {
  emptyRequest,
  madeWebhook,
  replayRequest,
  webhookList,
  webhookRequest,
  webhooksQuery,
  webhookWithDeliveries,
} from '../../protocol/webhooks.ts';
import type { Door } from '../../server/app.ts';
import { callerOf } from '../../server/caller.ts';
import { findById } from '../../server/routes/conversations.ts';
import type { Webhooks } from './webhooks.ts';

const READS = { scope: 'conversations:read' } as const;
const WRITES = { scope: 'conversations:write' } as const;
const TAGS = ['webhooks'];
const FOUND = { 404: problem, 503: problem };
const ACCEPTED = z.undefined().meta({ description: 'It is on its way.' });

/**
 * Routes for webhooks; docs/protocol.md, section 12.
 *
 * @param load what they are of, which is there only once somebody asks for it
 */
export function webhooksDoor(load: () => Promise<Webhooks>): Door {
  return (scope, parts) => registerWebhooks(scope, parts, load);
}

function registerWebhooks(
  server: FastifyInstance,
  parts: Parameters<Door>[1],
  load: () => Promise<Webhooks>,
): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.post(
    '/webhooks',
    {
      config: WRITES,
      schema: {
        operationId: 'createWebhook',
        summary: 'Have an address be told what happens, by Standard Webhooks',
        description:
          'It is told what happens from now on, in order within a conversation, at least once. The answer has the secret, ' +
          'this once.',
        tags: TAGS,
        body: webhookRequest,
        response: { 201: madeWebhook, 400: problem, 404: problem, 409: problem, 503: problem },
      },
    },
    async (request, reply) => {
      const { url, events, conversationId, secret } = request.body;
      const { tenant } = callerOf(request);
      const one = conversationId ? await findById(parts, request, conversationId) : undefined;
      const made = await (await load()).create({
        tenant: one?.tenant ?? tenant,
        url,
        events,
        conversationId: one?.id ?? null,
        secret: secret ?? undefined,
      });
      request.log.info({ webhook_id: made.id }, 'webhook.created');
      return reply.code(201).header('location', `/webhooks/${made.id}`).send(made);
    },
  );

  app.get(
    '/webhooks',
    {
      config: READS,
      schema: {
        operationId: 'listWebhooks',
        summary: 'List webhooks',
        tags: TAGS,
        querystring: webhooksQuery,
        response: { 200: webhookList, 400: problem, 503: problem },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      return (await load()).list(callerOf(request).reads, limit, cursor);
    },
  );

  app.get(
    '/webhooks/:id',
    {
      config: READS,
      schema: {
        operationId: 'getWebhook',
        summary: 'Read a webhook and its last deliveries',
        tags: TAGS,
        params: idParameter,
        response: { 200: webhookWithDeliveries, ...FOUND },
      },
    },
    async (request) => (await load()).get(callerOf(request).reads, request.params.id),
  );

  app.delete(
    '/webhooks/:id',
    {
      config: WRITES,
      schema: {
        operationId: 'deleteWebhook',
        summary: 'Remove a webhook',
        tags: TAGS,
        params: idParameter,
        response: { 204: z.undefined().meta({ description: 'It is gone.' }), ...FOUND },
      },
    },
    async (request, reply) => {
      await (await load()).delete(callerOf(request).reads, request.params.id);
      request.log.info({ webhook_id: request.params.id }, 'webhook.deleted');
      return reply.code(204).send();
    },
  );

  app.post(
    '/webhooks/:id/test',
    {
      config: WRITES,
      schema: {
        operationId: 'testWebhook',
        summary: 'Send a message that says nothing but that it came',
        tags: TAGS,
        params: idParameter,
        body: emptyRequest,
        response: { 202: ACCEPTED, ...FOUND },
      },
    },
    async (request, reply) => {
      await (await load()).test(callerOf(request).reads, request.params.id);
      return reply.code(202).send();
    },
  );

  app.post(
    '/webhooks/:id/replay',
    {
      config: WRITES,
      schema: {
        operationId: 'replayWebhook',
        summary: 'Tell everything again that happened since a time',
        tags: TAGS,
        params: idParameter,
        body: replayRequest,
        response: { 202: ACCEPTED, 400: problem, ...FOUND },
      },
    },
    async (request, reply) => {
      await (await load()).replay(callerOf(request).reads, request.params.id, request.body.since);
      return reply.code(202).send();
    },
  );

  app.post(
    '/webhooks/:id/rotate',
    {
      config: WRITES,
      schema: {
        operationId: 'rotateWebhook',
        summary: 'Give a webhook another secret; for 24 hours both sign',
        tags: TAGS,
        params: idParameter,
        body: emptyRequest,
        response: { 200: madeWebhook, ...FOUND },
      },
    },
    async (request) => (await load()).rotate(callerOf(request).reads, request.params.id),
  );
}
