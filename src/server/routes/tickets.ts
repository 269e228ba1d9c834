import { randomBytes } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { TICKET_MS } from '../../protection/tickets.ts';
import { ticket } from '../../protocol/keys.ts';
import { problem } from '../../protocol/problem.ts';
import { idParameter } from '../../protocol/requests.ts';
import { ticketDigest } from '../authority.ts';
import { callerOf } from '../caller.ts';
import type { ServerParts } from '../parts.ts';
import { findConversation } from './conversations.ts';

/** Tickets: what opens a stream for whoever can send no header, as a browser's EventSource. */
export function registerTickets(server: FastifyInstance, parts: ServerParts): void {
  server.withTypeProvider<ZodTypeProvider>().post(
    '/conversations/:id/tickets',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'issueTicket',
        summary: 'Get a ticket for one stream of a conversation',
        description: 'For 60 s it opens, once, one stream of this conversation with `?ticket=`.',
        tags: ['streams'],
        params: idParameter,
        response: { 201: ticket, 404: problem, 503: problem },
      },
    },
    async (request, reply) => {
      const { id } = await findConversation(parts, request);
      const made = randomBytes(32).toString('base64url');
      const expiresAt = new Date(parts.now().getTime() + TICKET_MS).toISOString();
      await parts.tickets.issue(ticketDigest(id, made), callerOf(request).digest ?? '');
      return reply.code(201).send({ ticket: made, expiresAt });
    },
  );
}
