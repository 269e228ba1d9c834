import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request as startRequest } from 'node:http';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import {
  type GeneratedRequest,
  type OpenApi,
  type Operation,
  requestsOf,
  THING,
} from '../fixtures/generated/requests.ts';
import { type Answer, call, read } from '../fixtures/http.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { settledMemory, WITH_INSPECTOR } from '../fixtures/memory.ts';
import { startServer } from '../fixtures/server.ts';

/** How many requests are made; docs/threat-model.md says what 10,000 came to. */
const REQUESTS = Number(process.env['GENERATED_REQUESTS'] ?? 400);
const AT_ONCE = 10;
/** A request that takes longer hangs, in milliseconds; the machine may have much else to do. */
const LONGEST_MS = 60_000;
/** What caches may come to while they fill, in bytes; 10,000 requests that each left a kilobyte would be beyond it. */
const MOST_GROWTH = 10 * 1024 * 1024;

const document = JSON.parse(
  readFileSync(new URL('../../openapi/openapi.json', import.meta.url), 'utf8'),
) as OpenApi;
const ajv = new Ajv2020({ strict: false, allErrors: false });
addFormats.default(ajv);
ajv.addSchema(document, 'openapi');

const admin = keyOf('acme', 'admin', ['admin']);
const writer = keyOf('acme', 'writer');
const other = keyOf('globex', 'other');
const AUTHORIZATION = [
  ...[admin, admin, admin, ...Array.from({ length: 16 }, () => writer), other].map(
    ({ headers }) => headers['authorization'] ?? '',
  ),
  'Bearer aic_wrong',
  'Basic \u00ff',
];

it('2.5: requests generated from openapi.json are answered as it says, never with a fault, and leave nothing behind', async () => {
  const seed = Number(process.env['GENERATED_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const server = await startServer({
    ...WITH_INSPECTOR,
    API_KEYS: listed(admin, writer, other),
    DEFAULT_MAX_TURNS: '4',
  });
  const { url, port } = server;
  const there = await things(url);
  const requests = fc.sample(requestsOf(document, AUTHORIZATION), { seed, numRuns: REQUESTS });
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const counts: Record<string, number> = {};
  const faults: object[] = [];
  const sendAll = async (some: Iterator<GeneratedRequest>): Promise<void> => {
    for (let next = some.next(); !next.done; next = some.next()) {
      const { outcome, fault } = await judged(aimed(next.value, there), port, agent, there);
      counts[outcome] = (counts[outcome] ?? 0) + 1;
      if (fault) faults.push(fault);
      if (there.conversations.length < 3) there.conversations.push(await begun(url));
      if (there.webhooks.length < 1) there.webhooks.push(await hooked(url));
    }
  };
  const together = (some: readonly GeneratedRequest[]) => {
    const next = some.values();
    return Promise.all(Array.from({ length: AT_ONCE }, () => sendAll(next)));
  };
  const heaps: number[] = [];
  for (let quarter = 0; quarter < 4; quarter++) {
    await together(requests.slice((quarter * REQUESTS) / 4, ((quarter + 1) * REQUESTS) / 4));
    heaps.push((await settledMemory(server, admin.headers)).heap);
  }
  const [, before = 0, , after = 0] = heaps;
  if (process.env['GENERATED_REQUESTS']) console.log(JSON.stringify({ seed, counts, heaps }));
  agent.destroy();
  expect({ seed, faults: faults.slice(0, 10) }).toEqual({ seed, faults: [] });
  expect(counts).toMatchObject({ 200: expect.any(Number), 201: expect.any(Number), 400: expect.any(Number) });
  expect(after - before).toBeLessThan(MOST_GROWTH);
  expect((await server.stop()) ?? 'killed').toBe(0);
  expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
});

/** By their kinds; what is made meanwhile is added. */
type Things = Record<'conversations' | 'webhooks', string[]>;

const made = async (url: string, path: string, body: object): Promise<string> =>
  ((await call(url, path, { headers: writer.headers, body })).body as { id: string }).id;
/** A person is waited for in it, so that it is under way until something is done to it. */
const begun = (url: string): Promise<string> =>
  made(url, '/conversations', {
    topic: 'Is it?',
    agents: [{ provider: 'human', name: 'Ada' }, { provider: 'embedded' }],
  });
const hooked = (url: string): Promise<string> =>
  made(url, '/webhooks', { url: 'https://93.184.216.34/hook', events: ['*'] });

async function things(url: string): Promise<Things> {
  await made(url, '/knowledge/papers/documents', {
    id: 'one',
    title: 'One',
    text: 'Whether it is, and why.',
  });
  return {
    conversations: [
      await made(url, '/conversations', { topic: 'Is it?', maxTurns: 3 }),
      await made(url, '/conversations', { topic: 'May it?', approval: 'every_turn' }),
      await begun(url),
    ],
    webhooks: [await hooked(url)],
  };
}

/** A request for one of the things that there are. */
function aimed(request: GeneratedRequest, there: Things): GeneratedRequest {
  const path = request.path.replace(THING, (_all, kind: keyof Things, index: string) => {
    const some = there[kind];
    return some.at(-1 - (Number(index) % some.length)) ?? '';
  });
  return { ...request, path };
}

/** Notes what an answer says that was made, and what is gone. */
function note({ status, headers }: Answer, path: string, there: Things): void {
  if (status === 204) {
    for (const some of Object.values(there)) {
      const index = some.findIndex((id) => path.endsWith(`/${id}`));
      if (index >= 0) some.splice(index, 1);
    }
  }
  const [, kind, id = ''] = /^\/(conversations|webhooks)\/([\w-]+)$/.exec(headers['location'] ?? '') ?? [];
  if (status === 201 && kind !== undefined) there[kind as keyof Things].push(id);
}

/** Its answer's status, and what is wrong with it. */
async function judged(
  request: GeneratedRequest,
  port: number,
  agent: Agent,
  there: Things,
): Promise<{ outcome: string; fault?: object }> {
  const { operation, isRouted, method, path, headers, body } = request;
  const shown = { operationId: operation.operationId, method, path, headers, body: body?.slice(0, 500) };
  try {
    const answer = await send(request, port, agent);
    note(answer, path, there);
    const why = faultOf(answer, operation, isRouted);
    const outcome = String(answer.status);
    if (why === undefined) return { outcome };
    return { outcome, fault: { ...shown, why, status: answer.status, text: answer.text.slice(0, 1000) } };
  } catch (error) {
    return { outcome: 'no answer', fault: { ...shown, why: String(error) } };
  }
}

function faultOf(
  { status, headers, body }: Answer,
  { responses }: Operation,
  isRouted: boolean,
): string | undefined {
  if (status >= 500) return 'a fault of the server';
  // Node refuses what is expected of it that it doesn't know: https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
  if (status === 417) return undefined;
  // A path that leads elsewhere is answered by what is there.
  if (!isRouted) return undefined;
  const described = responses[status] ?? responses[`${String(status)[0]}XX`];
  if (!described) return `openapi.json has no ${status} there`;
  const type = headers['content-type']?.split(';')[0] ?? '';
  const { content } = described;
  if (content && !content[type]) return `openapi.json has no ${type} there`;
  const schema = content?.[type]?.schema;
  if (!schema || body === undefined) return undefined;
  const validate = ajv.compile(inDocument(schema));
  return validate(body) ? undefined : ajv.errorsText(validate.errors);
}

const compiled = new WeakMap<object, object>();
/** The schema with its references led into the whole document. */
function inDocument(schema: object): object {
  const known = compiled.get(schema);
  if (known) return known;
  const made = JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"openapi#/')) as object;
  compiled.set(schema, made);
  return made;
}

async function send(
  { method, path, headers, body }: GeneratedRequest,
  port: number,
  agent: Agent,
): Promise<Answer> {
  const signal = AbortSignal.timeout(LONGEST_MS);
  // Without its length Node sends a body of GET as if it were the next request.
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const outgoing = startRequest({
    port,
    host: '127.0.0.1',
    agent,
    method,
    path,
    headers: { ...headers, ...length },
    signal,
  });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  if (!response.headers['content-type']?.startsWith('text/event-stream')) return read(response);
  // A stream has no end of its own.
  response.destroy();
  return { status: response.statusCode ?? 0, headers: response.headers, text: '', body: undefined };
}
