import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { providerList } from '../../protocol/lists.ts';
import { health } from '../../protocol/operations.ts';
import type { ServerParts } from '../parts.ts';

/** What whoever keeps the server running asks: is it well? */
export function registerHealth(server: FastifyInstance, parts: ServerParts, isDraining: () => boolean): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/livez',
    {
      config: { scope: 'open' },
      schema: {
        operationId: 'livez',
        summary: 'Is the process alive?',
        tags: ['operations'],
        response: { 200: health },
      },
    },
    () => ({ status: 'ok' as const, checks: { process: 'ok' } }),
  );

  app.get(
    '/readyz',
    {
      config: { scope: 'open' },
      schema: {
        operationId: 'readyz',
        summary: 'Can it take requests?',
        tags: ['operations'],
        response: { 200: health, 503: health },
      },
    },
    async (_request, reply) => {
      const checks = {
        storage: await parts.log.healthCheck().then(
          () => 'ok',
          (error: unknown) => (error instanceof Error ? error.message : String(error)),
        ),
        server: isDraining() ? 'shutting down' : 'ok',
      };
      const well = Object.values(checks).every((check) => check === 'ok');
      return reply.code(well ? 200 : 503).send({ status: well ? 'ok' : 'unavailable', checks });
    },
  );
}

/** What operators and newcomers ask: which providers are there, what is counted. */
export function registerOperations(server: FastifyInstance, parts: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/providers',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'listProviders',
        summary: 'List the providers that can play agents',
        tags: ['operations'],
        response: { 200: providerList },
      },
    },
    () => ({
      items: parts.roster.map(({ id, configured, defaultModels, models }) => ({
        id,
        configured,
        defaultModel: defaultModels[0] ?? null,
        ...(models ? { models: [...models] } : {}),
        prices: pricesOf(id, [...defaultModels, ...(models ?? [])], parts),
        circuit: parts.circuitOf(id),
      })),
      nextCursor: null,
    }),
  );

  app.get(
    '/metrics',
    {
      config: { scope: 'metrics:read' },
      schema: {
        operationId: 'metrics',
        summary: 'Metrics in the text format of Prometheus, or as OpenMetrics where it is asked for',
        tags: ['operations'],
        produces: ['text/plain', 'application/openmetrics-text'],
        response: { 200: z.string().meta({ description: 'Prometheus text' }) },
      },
    },
    async (request, reply) => {
      const { contentType, body } = await parts.metrics.expose(request.headers.accept);
      return reply.header('content-type', contentType).send(body);
    },
  );
}

/** Of those models whose price is known. */
function pricesOf(provider: string, models: readonly string[], { priceOf }: Pick<ServerParts, 'priceOf'>) {
  return Object.fromEntries(
    models.flatMap((model) => {
      const price = priceOf(provider, model);
      return price ? [[model, { input: price.input, output: price.output }]] : [];
    }),
  );
}
