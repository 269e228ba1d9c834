import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Conversation, conversation } from '../../src/protocol/conversation.ts';
import { conversationList, providerList } from '../../src/protocol/lists.ts';
import { health } from '../../src/protocol/operations.ts';
import { problem } from '../../src/protocol/problem.ts';
import { create, ended, get, keeping, TIME, terminate } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { sharedByTests, startServer, temporaryFolder } from '../fixtures/server.ts';
import { hang, startVendor } from '../fixtures/vendors.ts';

const models = ({ agents }: Conversation) =>
  agents.map(({ name, provider, model }) => `${name}: ${provider}/${model}`);

const { whenOver } = sharedByTests();
/** The server of those that need none of their own. */
let url: string;
beforeAll(async () => {
  ({ url } = await startServer({}, whenOver));
});

describe('2.1: POST /conversations', () => {
  it('fills in what is not said, and answers with the conversation', async () => {
    const { made } = await create(url, { topic: 'Is it?' });
    expect(made).toMatchObject({
      topic: 'Is it?',
      turns: 0,
      maxTurns: 50,
      metadata: {},
      endedAt: null,
      termination: null,
      settings: {
        openingMessage: 'Is it?',
        timeoutSeconds: 1800,
        contextMessages: 10,
        termination: {
          phrases: ['[done]'],
          minTurns: 2,
          similarity: { threshold: 0.85, consecutive: 2 },
        },
      },
    });
    expect(made.id).toMatch(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    expect(made.createdAt).toMatch(TIME);
    expect(made.startedAt).toMatch(TIME);
    expect(models(made)).toEqual(['Eliza: embedded/eliza', 'Parry: embedded/parry']);
  });

  const anthropic = { ANTHROPIC_API_KEY: 'key-of-claude', ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' };
  it.each([
    ['the only vendor twice', anthropic, ['Claude: claude/', 'Claude 2: claude/']],
    [
      'the first two vendors in the order of the table',
      { ...anthropic, XAI_API_KEY: 'key-of-grok', GEMINI_API_KEY: 'key-of-gemini' },
      ['Claude: claude/', 'Gemini: gemini/'],
    ],
  ])('without agents takes %s', async (_which, environment, wanted) => {
    const { url } = await startServer(environment);
    const { made } = await create(url, { topic: 'Is it?' });
    expect(models(made).map((model) => model.replace(/\/.*/, '/'))).toEqual(wanted);
    const providers = await call(url, '/providers');
    expect(providers.text).not.toContain('key-of');
    expect(keeping(providerList, providers).items.filter(({ configured }) => configured)).toHaveLength(
      // Besides those with a key the embedded pair, and people.
      Object.keys(environment).filter((name) => name.endsWith('KEY')).length + 2,
    );
  });

  it('makes names unique, alternates embedded models, and takes all that is allowed', async () => {
    const embedded = { provider: 'embedded' };
    const { made: four } = await create(url, {
      topic: 'Is it?',
      agents: [embedded, { ...embedded, name: 'Parry' }, embedded, embedded],
    });
    expect(models(four)).toEqual([
      'Eliza: embedded/eliza',
      'Parry: embedded/parry',
      'Eliza 2: embedded/eliza',
      'Parry 2: embedded/parry',
    ]);

    const body = {
      topic: '🙂'.repeat(2000),
      agents: Array.from({ length: 16 }, (_, index) => ({
        ...embedded,
        name: index === 0 ? '__proto__' : '🙂'.repeat(63) + String.fromCodePoint(0x61 + index),
        instructions: 'i'.repeat(20_000),
        temperature: 2,
        maxOutputTokens: 32_000,
      })),
      openingMessage: 'Tab\tand\nline',
      maxTurns: 17,
      timeoutSeconds: 86_400,
      contextMessages: 100,
      termination: {
        phrases: [],
        minTurns: 10_000,
        similarity: { threshold: 1, consecutive: 10 },
        maxTotalTokens: Number.MAX_SAFE_INTEGER,
      },
      metadata: { constructor: 'x', 'a key': '🙂'.repeat(512), number: -1e308, flag: false },
    };
    const { made } = await create(url, body);
    expect(made.settings).toMatchObject(JSON.parse(JSON.stringify(body)) as object);
    const { agents, turns, termination } = await ended(url, made.id);
    expect({ turns, termination }).toMatchObject({ turns: 17, termination: { reason: 'max_turns' } });
    expect(agents.map((agent) => agent.turns)).toEqual([2, ...Array.from({ length: 15 }, () => 1)]);
  });
});

describe('2.6: Idempotency-Key', () => {
  it('answers the same conversation, whatever the order of the fields, until it is deleted', async () => {
    const headers = { 'idempotency-key': 'once only: ~!' };
    const first = await create(url, { topic: 'Is it?', maxTurns: 1, metadata: { a: 1, b: 2 } }, headers);
    expect(first.headers['idempotency-replayed']).toBeUndefined();
    await ended(url, first.made.id);
    const body = '{ "metadata": { "b": 2.0, "a": 1 }, "maxTurns": 1, "topic": "Is i\\u0074?" }';
    const again = await call(url, '/conversations', {
      body,
      headers: { ...headers, 'content-type': 'application/json' },
    });
    expect(again.status).toBe(201);
    expect(again.headers['idempotency-replayed']).toBe('true');
    expect(again.headers['location']).toBe(first.headers['location']);
    expect(again.body).toEqual(await get(url, first.made.id));

    await call(url, `/conversations/${first.made.id}`, { method: 'DELETE' });
    const { made, headers: fresh } = await create(url, { topic: 'Something else' }, headers);
    expect(made.id).not.toBe(first.made.id);
    expect(fresh['idempotency-replayed']).toBeUndefined();
  });

  it('makes one conversation of many calls at the same moment', async () => {
    const headers = { 'idempotency-key': 'k'.repeat(255) };
    const body = { topic: 'All at once?', maxTurns: 1 };
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(url, body, headers)));
    expect(new Set(answers.map(({ made }) => made.id)).size).toBe(1);
    expect(answers.filter((answer) => answer.headers['idempotency-replayed'] === 'true')).toHaveLength(7);
    expect(keeping(conversationList, await call(url, '/conversations?q=at+once')).items).toHaveLength(1);
  });
});

describe('2: ending and removing', () => {
  it('terminate ends the call in flight, and answers the same again', async () => {
    await using vendor = await startVendor('anthropic', hang);
    const { url } = await startServer({ ANTHROPIC_API_KEY: 'k', ANTHROPIC_BASE_URL: vendor.baseUrl });
    const { made } = await create(url, { topic: 'Is it?' });
    const inFlight = await vendor.arrived();
    const first = await terminate(url, made.id, { detail: 'enough' });
    await inFlight.whenAborted;
    const { status, termination, agents, endedAt } = keeping(conversation, first);
    expect({ status, termination }).toEqual({
      status: 'terminated',
      termination: { reason: 'user', detail: 'enough', by: 'user' },
    });
    expect(agents.map(({ state }) => state)).toEqual(['idle', 'idle']);
    expect(endedAt).toMatch(TIME);
    for (const body of [undefined, {}, { detail: 'again' }]) {
      expect((await terminate(url, made.id, body)).body).toEqual(first.body);
    }
    for (const type of ['application/json', 'application/x-www-form-urlencoded', 'text/plain']) {
      const empty = { method: 'POST', headers: { 'content-type': type }, body: '' };
      expect((await call(url, `/conversations/${made.id}/terminate`, empty)).body).toEqual(first.body);
    }
    for (const type of [{}, { 'content-type': 'text/plain' }]) {
      const chunks = { method: 'POST', headers: { ...type, 'transfer-encoding': 'chunked' }, body: '' };
      expect((await call(url, `/conversations/${made.id}/terminate`, chunks)).body).toEqual(first.body);
    }
  });

  it('7: log lines tell which request made, read and ended which conversation', async () => {
    const server = await startServer();
    const { made } = await create(server.url, { topic: 'Is it?', maxTurns: 1 });
    const created = await server.logged(({ event }) => event === 'conversation.created');
    expect(created).toMatchObject({ conversation_id: made.id, request_id: expect.any(String) });
    await call(server.url, `/conversations/${made.id}`);
    const read = await server.logged(({ route }) => route === '/conversations/:id');
    expect(read).toMatchObject({ event: 'request.completed', conversation_id: made.id, status: 200 });
  });

  it('delete leaves no trace, also of one that runs', async () => {
    const folder = temporaryFolder();
    await using vendor = await startVendor('openai', hang);
    const server = await startServer({
      DATA_DIR: folder,
      OPENAI_API_KEY: 'k',
      OPENAI_BASE_URL: vendor.baseUrl,
    });
    const { url } = server;
    const marker = 'Quetzalcoatlus';
    const traces = () =>
      readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .filter(({ parentPath, name }) => readFileSync(join(parentPath, name)).includes(marker));
    const { made } = await create(
      url,
      { topic: marker, openingMessage: `${marker}?`, metadata: { [marker]: marker } },
      { 'idempotency-key': marker },
    );
    const inFlight = await vendor.arrived();
    expect(traces()).not.toEqual([]);
    const path = `/conversations/${made.id}`;
    const { status, text } = await call(url, path, { method: 'DELETE' });
    expect([status, text]).toEqual([204, '']);
    await inFlight.whenAborted;
    for (const gone of [path, `${path}/messages`, `${path}/log`, `${path}/timeline`, `${path}/events`]) {
      expect([gone, (await call(url, gone)).status]).toEqual([gone, 404]);
    }
    expect((await call(url, path, { method: 'DELETE' })).status).toBe(404);
    expect((await terminate(url, made.id)).status).toBe(404);
    expect((await call(url, `/conversations?q=${marker}`)).body).toEqual({ items: [], nextCursor: null });
    expect(traces()).toEqual([]);
    await server.stop();
    expect(traces()).toEqual([]);
  });
});

describe('2, 7: operations', () => {
  it('tell how the server is, what it counted, and how to use it', async () => {
    const { url } = await startServer();
    const { made } = await create(url, { topic: 'Is it?', maxTurns: 2 });
    await ended(url, made.id);
    for (const path of ['/livez', '/readyz']) {
      const { status, checks } = keeping(health, await call(url, path));
      expect(status).toBe('ok');
      expect(new Set(Object.values(checks))).toEqual(new Set(['ok']));
    }
    const metrics = await call(url, '/metrics');
    expect(metrics.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    for (const line of metrics.text.split('\n').filter(Boolean)) {
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|[a-zA-Z_:][\w:]*(\{(\w+="([^"\\]|\\.)*",?)*\})? \S+)$/);
    }
    for (const sample of [
      'ai_api_calls_total{provider="embedded",model="eliza",status="success"} 1',
      'ai_response_seconds_bucket{le="60",provider="embedded",model="parry"} 1',
      'ai_response_seconds_count{provider="embedded",model="parry"} 1',
      'ai_active_conversations 0',
    ]) {
      expect(metrics.text).toContain(`${sample}\n`);
    }
    expect(metrics.text).toMatch(
      /^ai_response_seconds_bucket\{le="0.1",provider="embedded",model="eliza"\} \d$/m,
    );
    expect(metrics.text).toMatch(/^ai_tokens_total\{provider="embedded",model="eliza",type="input"\} \d+$/m);
    expect(metrics.text).toMatch(/^ai_tokens_total\{provider="embedded",model="eliza",type="output"\} \d+$/m);
    expect(metrics.text).toContain('# TYPE ai_errors_total counter');
    expect(metrics.text).toMatch(/^nodejs_/m);
    expect((await call(url, '/openapi.json')).body).toMatchObject({ openapi: '3.1.0' });
    expect((await call(url, '/docs')).text).toContain('Swagger UI');
  });

  it('HEAD is answered like GET, without a body', async () => {
    const server = await startServer();
    const { made } = await create(server.url, { topic: 'Is it?', maxTurns: 1 });
    for (const path of [
      '/conversations',
      `/conversations/${made.id}`,
      `/conversations/${made.id}/log`,
      '/livez',
      '/metrics',
      '/docs',
      '/openapi.json',
    ]) {
      const { status, text } = await call(server.url, path, { method: 'HEAD' });
      expect([path, status, text]).toEqual([path, 200, '']);
    }
    for (const path of ['/nowhere', `/conversations/${made.id}/stream`, `/conversations/${made.id}/events`]) {
      const { status } = await call(server.url, path, { method: 'HEAD' });
      expect([path, status]).toEqual([path, 404]);
    }
    await server.stop();
    expect(server.log.filter(({ level }) => level !== 'info')).toEqual([]);
  });

  it('2.5: what arrives during the shutdown is told to come back, and operators are told why', async () => {
    const server = await startServer();
    const requests = ['/readyz', '/conversations'].map((path) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n`);
      return socket;
    });
    await Promise.all(requests.map((socket) => once(socket, 'connect')));
    // An answer on a later connection: what these have sent was taken in before.
    await call(server.url, '/livez');
    const stopped = server.stop();
    await server.logged(({ event }) => event === 'server.stopping');
    for (const socket of requests) socket.write('\r\n');
    const [ready, list] = await Promise.all(requests.map((socket) => readText(socket)));
    expect(ready).toMatch(/^HTTP\/1\.1 503 [^]*"server":"shutting down"/);
    expect(list).toMatch(/^HTTP\/1\.1 503 [^]*retry-after: \d+/i);
    expect(problem.parse(JSON.parse(list?.split('\r\n\r\n')[1] ?? '')).code).toBe('overloaded');
    expect(await stopped).toBe(0);
  });
});
