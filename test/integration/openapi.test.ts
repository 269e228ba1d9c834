import { readFileSync } from 'node:fs';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Validator } from '@seriousme/openapi-schema-validator';
import spectral, { type RulesetDefinition } from '@stoplight/spectral-core';
import { oas } from '@stoplight/spectral-rulesets';
import { describe, expect, it } from 'vitest';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';

interface Media {
  schema: { $ref?: string; examples?: unknown[] };
  examples?: Record<string, { value: unknown }>;
}
interface Operation {
  operationId: string;
  summary: string;
  description: string;
  tags: string[];
  'x-scope'?: string;
  security: Record<string, string[]>[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<string, { content?: Record<string, Media> }>;
}
interface Document {
  info: object;
  servers: object[];
  tags: { name: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Media['schema']>; securitySchemes: Record<string, object> };
}

const text = readFileSync(new URL('../../openapi/openapi.json', import.meta.url), 'utf8');
const document = JSON.parse(text) as Document;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);

async function faultsByRedocly(source: string): Promise<string[]> {
  const config = await createConfig({ extends: ['recommended'] });
  const faults = await lintFromString({ source, absoluteRef: 'openapi.json', config });
  return faults.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer}`);
}

async function faultsBySpectral(source: string): Promise<string[]> {
  const linter = new spectral.Spectral();
  linter.setRuleset({ extends: [[oas, 'recommended']] } as RulesetDefinition);
  const faults = await linter.run(source);
  return faults.map(({ code, message, path }) => `${code}: ${message} ${path.join('/')}`);
}

/** What Swagger UI fills in for a request. */
function examplesOf({ requestBody }: Operation): unknown[] {
  const { schema, examples = {} } = requestBody?.content['application/json'] ?? { schema: {} };
  const name = schema.$ref?.split('/').at(-1);
  const { examples: inSchema = [] } = name === undefined ? schema : (document.components.schemas[name] ?? {});
  return [...Object.values(examples).map(({ value }) => value), ...inSchema];
}

describe('2: openapi.json', () => {
  it('is what the server gives; `npm run openapi` writes it', async () => {
    const { url } = await startServer();
    expect((await call(url, '/openapi.json')).body).toEqual(document);
  });

  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    expect(await validator.validate({ ...structuredClone(document) })).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  it.each([
    ['Redocly’s recommended rules', faultsByRedocly],
    ['Spectral’s rules for OpenAPI', faultsBySpectral],
  ])('keeps %s', async (_rules, faultsOf) => {
    expect(await faultsOf(text)).toEqual([]);
    expect(await faultsOf(text.replace('"operationId": "whoami"', '"operationId": "metrics"'))).not.toEqual(
      [],
    );
  });

  it('has every route, each with a name of its own', () => {
    expect(operations.map(({ method, path }) => `${method} ${path}`)).toEqual(
      expect.arrayContaining([
        'POST /conversations',
        'GET /conversations',
        'GET /conversations/{id}',
        'GET /conversations/{id}/messages',
        'GET /conversations/{id}/log',
        'GET /conversations/{id}/timeline',
        'POST /conversations/{id}/terminate',
        'DELETE /conversations/{id}',
        'GET /conversations/{id}/stream',
        'GET /conversations/{id}/events',
        'GET /providers',
        'GET /livez',
        'GET /readyz',
        'GET /metrics',
      ]),
    );
    expect(new Set(operations.map(({ operation }) => operation.operationId)).size).toBe(operations.length);
  });

  it('names its schemas, and what problems come in', () => {
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining([
        'Conversation',
        'ConversationSettings',
        'CreateConversation',
        'Event',
        'Message',
        'Problem',
        'TimelineEntry',
      ]),
    );
    const typesOfProblems = operations
      .flatMap(({ operation }) => Object.values(operation.responses))
      .flatMap(({ content = {} }) => Object.entries(content))
      .filter(([, { schema }]) => schema.$ref?.endsWith('/Problem'))
      .map(([type]) => type);
    expect(new Set(typesOfProblems)).toEqual(new Set(['application/problem+json']));
  });

  it('says of every operation what it is, who may, and what it answers to who may not', () => {
    const { info, servers, tags, components } = document;
    expect(info).toMatchObject({ license: { name: 'MIT', identifier: 'MIT' } });
    expect(servers).toHaveLength(1);
    const schemes = new Set(Object.keys(components.securitySchemes));
    const known = new Set(tags.map(({ name }) => name));
    for (const { method, path, operation } of operations) {
      const { summary, description, security, responses } = operation;
      const isOpen = ['/livez', '/readyz'].includes(path);
      const statuses = Object.keys(responses);
      expect({ method, path, summary, description }).toEqual({
        method,
        path,
        summary: expect.stringMatching(/./),
        description: expect.stringMatching(isOpen ? /Open to all\./ : /Needs the scope `|Any key will do\./),
      });
      expect([path, operation.tags.filter((tag) => !known.has(tag))]).toEqual([path, []]);
      expect([path, security.length > 0]).toEqual([path, !isOpen]);
      expect([path, description.includes(`\`${operation['x-scope']}\``)]).toEqual([
        path,
        !isOpen && path !== '/whoami',
      ]);
      for (const scheme of security.flatMap((way) => Object.keys(way))) expect(schemes).toContain(scheme);
      expect([path, statuses]).toEqual([
        path,
        expect.arrayContaining(isOpen ? ['200', '4XX'] : ['401', '403', '421', '429', '503']),
      ]);
    }
  });

  it('can be tried out: its examples are taken as they are', async () => {
    const { url } = await startServer();
    const creation = operations.find(({ operation }) => operation.operationId === 'createConversation');
    const examples = creation ? examplesOf(creation.operation) : [];
    expect(examples.length).toBeGreaterThan(1);
    for (const body of examples) {
      const { status, headers } = await call(url, '/conversations', { body });
      expect(status).toBe(201);
      for (const ending of [{ detail: 'string' }, {}, undefined]) {
        const terminate = { method: 'POST', body: ending };
        expect((await call(url, `${headers['location']}/terminate`, terminate)).status).toBe(200);
      }
    }
    const { operation } = operations.find(({ path }) => path.endsWith('/terminate')) ?? {};
    expect(operation?.requestBody?.required).toBe(false);
  });
});
