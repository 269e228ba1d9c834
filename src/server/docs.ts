import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';

const DESCRIPTION = `AI agents that talk to each other, turn after turn, until a condition ends it.

Press **Try it out** on *Start a conversation*: with no key configured the embedded pair Eliza and Parry talks.
Then read its messages, or watch it live.`;

/** Notes the routes that are registered behind it, in whichever scope, for an OpenAPI 3.1 document of their schemas. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  const optionalBodies = new Set<string>();
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'AI Conversation Platform', version: '1.0.0', description: DESCRIPTION },
      tags: [
        { name: 'conversations', description: 'Start, read and end conversations' },
        { name: 'streams', description: 'Watch conversations live' },
        { name: 'openai', description: 'Ask a scenario as if it were a model of OpenAI' },
        { name: 'operations', description: 'Health, metrics and providers' },
      ],
    },
    transform: (route) => {
      const { body, operationId } = route.schema ?? {};
      if (body instanceof z.ZodOptional && operationId) optionalBodies.add(operationId);
      return jsonSchemaTransform(route);
    },
    transformObject: (document) => tidy(jsonSchemaTransformObject(document), optionalBodies),
  });
}

/** The document at /openapi.json, and Swagger UI at /docs. */
export async function registerDocs(app: FastifyInstance): Promise<void> {
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'open' };
    });
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      uiConfig: { tryItOutEnabled: true, displayRequestDuration: true },
    });
    scope.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  });
}

/** The parts of the document that the generators leave wanting. */
interface Description {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

interface Operation {
  operationId?: string;
  requestBody?: { required: boolean };
  responses: Record<string, { description: string; content?: Record<string, { schema: { $ref?: string } }> }>;
}

const REFERENCE = '#/components/schemas/';

/** Says in what media type problems come and which bodies may be left out; drops what nothing refers to. */
function tidy(generated: object, optionalBodies: ReadonlySet<string>): object {
  const document = JSON.parse(JSON.stringify(generated), withoutSafeIntegers) as Description;
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    if (operation.requestBody && optionalBodies.has(operation.operationId ?? '')) {
      operation.requestBody.required = false;
    }
    for (const [status, response] of Object.entries(operation.responses)) {
      if (response.description === 'Default Response') response.description = STATUS_CODES[status] ?? status;
      const [media] = Object.values(response.content ?? {});
      if (media?.schema.$ref === `${REFERENCE}Problem`) {
        response.content = { 'application/problem+json': media };
      }
    }
  }
  const { schemas } = document.components;
  const used = new Set(namesIn(document.paths));
  // A set goes on to what is added to it meanwhile.
  for (const name of used) for (const next of namesIn(schemas[name] ?? {})) used.add(next);
  document.components.schemas = Object.fromEntries(
    Object.entries(schemas).filter(([name]) => used.has(name)),
  );
  return document;
}

/** The schemas that a part of the document refers to. */
function namesIn(part: object): string[] {
  return [...JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name);
}

/** That a whole number lies within what JavaScript can count is no news to a reader. */
function withoutSafeIntegers(key: string, value: unknown): unknown {
  const isBound = key === 'minimum' || key === 'maximum';
  return isBound && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER ? undefined : value;
}
