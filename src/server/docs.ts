import { STATUS_CODES } from 'node:http';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, RouteOptions } from 'fastify';
import { jsonSchemaTransform, jsonSchemaTransformObject } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { problem } from '../protocol/problem.ts';

const DESCRIPTION = `AI agents that talk to each other, turn after turn, until a condition ends it.

Press **Try it out** on *Start a conversation*: with no key configured the embedded pair Eliza and Parry talks.
Then read its messages, or watch it live.`;

/** Notes the routes that are registered behind it, in whichever scope, for an OpenAPI 3.1 document of their schemas. */
export async function describeRoutes(app: FastifyInstance): Promise<void> {
  const notes: Notes = { optionalBodies: new Set(), forms: new Map(), scopes: new Map() };
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'AI Conversation Platform',
        version: '1.0.0',
        description: DESCRIPTION,
        contact: { name: 'Whoever runs this server' },
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/', description: 'The server that gives this document' }],
      components: {
        securitySchemes: {
          key: {
            type: 'http',
            scheme: 'bearer',
            description:
              'A key of this server, where it asks for one (GET /whoami tells). `x-scope` of an operation is the scope ' +
              'that opens it, as do those that comprise it.',
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
      const { reads, scope } = described.route.config ?? {};
      const form = reads?.['multipart/form-data'];
      if (body instanceof z.ZodOptional && operationId) notes.optionalBodies.add(operationId);
      if (operationId && scope !== undefined && scope !== 'key' && scope !== 'open') {
        notes.scopes.set(operationId, scope);
      }
      if (form && operationId) notes.forms.set(operationId, formOf(form));
      const schema = described.schema && admitting(described.schema, described.route);
      const read = schema && reads ? { ...schema, body: reads['application/json'] } : schema;
      return jsonSchemaTransform({ ...described, schema: read ?? described.schema });
    },
    transformObject: (document) => tidy(jsonSchemaTransformObject(document), notes),
  });
}

/** What is known of operations by their names, and the generators don't say. */
interface Notes {
  optionalBodies: Set<string>;
  /** The schemas of forms. */
  forms: Map<string, object>;
  scopes: Map<string, string>;
}

function formOf(form: z.ZodType): object {
  const { $schema: _, ...schema } = z.toJSONSchema(form, { io: 'input' });
  return schema;
}

/** What a key has to be for an operation, and what it is answered with where it isn't. */
function admitting(schema: FastifySchema, { method, config }: RouteOptions): FastifySchema {
  const { summary = '', description, response, operationId = '' } = schema;
  const scope = config?.scope;
  // The doors have forms of their own.
  const form = (response as Record<string, unknown> | undefined)?.[503] ?? problem;
  const refusals =
    scope === 'open' || scope === undefined
      ? { '4XX': problem }
      : { 400: form, 401: form, 403: form, 421: form, 429: form, 503: form };
  // Whatever comes as a body is read before anything is done with it, also where none is asked for.
  const unreadable = method === 'GET' ? {} : { 400: form, 413: form, 415: form };
  const needs =
    scope === 'open' || scope === undefined
      ? 'Open to all.'
      : scope === 'key'
        ? 'Any key will do.'
        : `Needs the scope \`${scope}\`.`;
  const key = { key: [] };
  const security = scope === 'open' ? [] : TAKE_TICKETS.has(operationId) ? [key, { ticket: [] }] : [key];
  return {
    ...schema,
    description: [description ?? `${summary}${summary.endsWith('?') ? '' : '.'}`, needs].join('\n\n'),
    security,
    response: { ...refusals, ...unreadable, ...(response as object) },
  };
}

const TAKE_TICKETS: ReadonlySet<string> = new Set(['streamConversation', 'conversationEvents']);

/** The document at /openapi.json, and Swagger UI at /docs. */
export async function registerDocs(app: FastifyInstance): Promise<void> {
  let document: Buffer | undefined;
  // Made once: whoever asks for it again and again, without a key, is to cost no more than what is sent.
  const sendDocument = (_request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    document ??= Buffer.from(JSON.stringify(app.swagger()));
    return reply.header('content-type', 'application/json; charset=utf-8').send(document);
  };
  await app.register(async (scope) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'open' };
      if (route.url === '/docs/json') route.handler = sendDocument;
    });
    await scope.register(swaggerUi, {
      routePrefix: '/docs',
      // Without the bar that the standalone layout has on top: its logo has a style in it, which the policy stops.
      uiConfig: { layout: 'BaseLayout', tryItOutEnabled: true, displayRequestDuration: true },
    });
    scope.get('/openapi.json', { schema: { hide: true } }, sendDocument);
  });
}

/** The parts of the document that the generators leave wanting. */
interface Description {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

interface Operation {
  operationId?: string;
  'x-scope'?: string;
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
}

interface Media {
  schema: { $ref?: string; type?: string; description?: string };
}

const REFERENCE = '#/components/schemas/';

/** Says in what media type problems come and which bodies may be left out; drops what nothing refers to. */
function tidy(generated: object, { optionalBodies, forms, scopes }: Notes): object {
  const document = JSON.parse(JSON.stringify(generated), plainly) as Description;
  for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
    const { operationId = '', requestBody } = operation;
    const scope = scopes.get(operationId);
    if (scope !== undefined) operation['x-scope'] = scope;
    if (requestBody && optionalBodies.has(operationId)) requestBody.required = false;
    const form = forms.get(operationId);
    if (requestBody && form) requestBody.content['multipart/form-data'] = { schema: form };
    for (const [status, response] of Object.entries(operation.responses)) {
      if (response.description === 'Default Response') response.description = STATUS_CODES[status] ?? status;
      if (response.content) response.content = typed(response.content, Number(status) < 300);
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

/** Failures come in one type whatever their operation produces, and what is no JSON is text. */
function typed(content: Record<string, Media>, isSuccess: boolean): Record<string, Media> {
  const [media = { schema: {} }] = Object.values(content);
  if (media.schema.$ref === `${REFERENCE}Problem`) return { 'application/problem+json': media };
  if (!isSuccess) return { 'application/json': media };
  const { description } = media.schema;
  const text = { schema: { type: 'string', ...(description === undefined ? {} : { description }) } };
  const isJson = (type: string): boolean => type === 'application/json';
  return Object.fromEntries(Object.entries(content).map(([type, own]) => [type, isJson(type) ? own : text]));
}

/** The schemas that a part of the document refers to. */
function namesIn(part: object): string[] {
  return [...JSON.stringify(part).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name = '']) => name);
}

/**
 * That a whole number lies within what JavaScript can count is no news to a reader; that a tuple has no more than its
 * parts, the generators leave out.
 */
function plainly(key: string, value: unknown): unknown {
  const isBound = key === 'minimum' || key === 'maximum';
  if (isBound && Math.abs(Number(value)) === Number.MAX_SAFE_INTEGER) return undefined;
  const { prefixItems: parts } = (value ?? {}) as { prefixItems?: unknown };
  if (!Array.isArray(parts)) return value;
  return { ...(value as object), items: parts[0] as unknown, minItems: parts.length, maxItems: parts.length };
}
