import type { FastifyInstance } from 'fastify';

/**
 * /asyncapi.json: what streams and webhooks bring; docs/protocol.md, section 13.4. It is written once, when somebody
 * asks.
 */
export function registerAsyncApi(app: FastifyInstance): void {
  let document: Buffer | undefined;
  app.get(
    '/asyncapi.json',
    { config: { scope: 'open' }, schema: { hide: true } },
    async (_request, reply) => {
      document ??= Buffer.from(JSON.stringify((await import('./document.ts')).asyncApiDocument()));
      return reply.header('content-type', 'application/json; charset=utf-8').send(document);
    },
  );
}
