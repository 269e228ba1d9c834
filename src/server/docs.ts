import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyContextConfig, FastifyInstance, FastifySchema } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { problem } from '../protocol/problem.ts';

const DESCRIPTION = `AI agents that talk to each other, turn after turn, until a condition ends it.

Press **Try it out** on *Start a conversation*: with no key configured the embedded pair Eliza and Parry talks.
Then read its messages, or watch it live.`;

/** Notes the routes that are registered behind it, in whichever scope, for an OpenAPI 3.1 document of their schemas. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  const optionalBodies = new Set<string>();
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'AI Conversation Platform',
        version: '1.0.0',
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'The server that gives this document' }],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description:
              'A key of this server, where it asks for one (GET /whoami tells). The names beside it in an operation are ' +
              'the scopes that open it, each with those that comprise it.',
          },
          ticket: {
            type: 'apiKey',
            in: 'query',
            name: 'ticket',
            description:
              'What POST /conversations/{id}/tickets gives: for one stream, once, within a minute.',
          },
        },
      },
      tags: [
        { name: 'conversations', description: 'Start, read and end conversations' },
        { name: 'streams', description: 'Watch conversations live' },
        { name: 'hands', description: 'Take part: pause, say, choose, approve, retract, fork' },
        { name: 'scenarios', description: 'Named beginnings' },
        { name: 'knowledge', description: 'Documents that agents look things up in' },
        { name: 'webhooks', description: 'Be told what happens, by Standard Webhooks' },
        { name: 'openai', description: 'Ask a scenario as if it were a model of OpenAI' },
        { name: 'operations', description: 'Health, metrics and providers' },
      ],
    },
    transform: (described) => {
      const { body, operationId } = described.schema ?? {};
      if (body instanceof z.ZodOptional && operationId) optionalBodies.add(operationId);
      const schema = described.schema && admitting(described.schema, described.route.config?.scope);
      return jsonSchemaTransform({ ...described, schema: schema ?? described.schema });
    },
    transformObject: (document) => tidy(jsonSchemaTransformObject(document), optionalBodies),
  });
}

/** What a key has to be for an operation, and what it is answered with where it isn't. */
function admitting(schema: FastifySchema, scope: FastifyContextConfig['scope']): FastifySchema {
  const { summary = '', description, response, operationId = '' } = schema;
  // The doors have forms of their own.
  const form = (response as Record<string, unknown> | undefined)?.[503] ?? problem;
  const refusals =
    scope === 'open' || scope === undefined
      ? { '4XX': problem }
      : { 401: form, 403: form, 421: form, 429: form, 503: form };
  const needs =
    scope === 'open' || scope === undefined
      ? 'Open to all.'
      : scope === 'key'
        ? 'Any key will do.'
        : `Needs the scope \`${scope}\`.`;
  const key = { key: scope === 'key' || scope === undefined ? [] : [scope] };
  const security = scope === 'open' ? [] : TAKE_TICKETS.has(operationId) ? [key, { ticket: [] }] : [key];
  return {
    ...schema,
    description: [description ?? `${summary}${summary.endsWith('?') ? '' : '.'}`, needs].join('\n\n'),
    security,
    response: { ...refusals, ...(response as object) },
  };
}

const TAKE_TICKETS: ReadonlySet<string> = new Set(['streamConversation', 'conversationEvents']);

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
