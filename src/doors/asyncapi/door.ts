import type { FastifyInstance } from 'fastify';

/** /asyncapi.json: what streams and webhooks bring; docs/protocol.md, section 13.4. It is written when somebody asks. */
export function registerAsyncApi(app: FastifyInstance): void {
  let document: object | undefined;
  app.get('/asyncapi.json', { config: { scope: 'open' }, schema: { hide: true } }, async () => {
    document ??= (await import('./document.ts')).asyncApiDocument();
    return document;
  });
}
