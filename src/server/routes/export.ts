import { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { exportAs, MEDIA_TYPES } from '../../export/formats.ts';
import { pagesOf } from '../../export/source.ts';
import { exportQuery } from '../../protocol/export.ts';
import { problem } from '../../protocol/problem.ts';
import { idParameter } from '../../protocol/requests.ts';
import { viewConversation } from '../conversation-view.ts';
import type { ServerParts } from '../parts.ts';
import { findConversation } from './conversations.ts';

/** A whole conversation as a download; docs/protocol.md, section 2.9. */
export function registerExport(server: FastifyInstance, parts: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/conversations/:id/export',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'exportConversation',
        summary: 'Download a conversation',
        description: 'As it is at this moment: JSON, JSON lines, Markdown, a page of HTML, or CSV.',
        tags: ['conversations'],
        params: idParameter,
        querystring: exportQuery,
        produces: MEDIA_TYPES,
        response: { 200: z.unknown().meta({ description: 'The file' }), 400: problem, 404: problem },
      },
    },
    async (request, reply) => {
      const record = await findConversation(parts, request);
      const source = { record, view: viewConversation(record), pages: pagesOf(parts.log, record) };
      const { headers, text } = await exportAs(request.query.format, source);
      // Taken piece by piece, as the reader takes it.
      return reply.headers(headers).send(Readable.from(text, { highWaterMark: 1 }));
    },
  );
}
