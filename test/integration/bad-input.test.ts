import { once } from 'node:events';
import { type IncomingMessage, request as startRequest } from 'node:http';
import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { ERRORS, type ErrorCode, problem } from '../../src/protocol/problem.ts';
import { AGENTS, type BadBody, FORMS, LIMITS, METADATA, TOPICS } from '../fixtures/bad-requests/bodies.ts';
import {
  type BadRequest,
  COMMANDS,
  MEDIA_TYPES,
  NOT_FOUND,
  QUERIES,
  STREAMS,
} from '../fixtures/bad-requests/requests.ts';
import { type Answer, call, HANDSHAKE, read } from '../fixtures/http.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

/** A server that is asked a lot of nonsense must go on, and must not take the blame for any of it. */
async function nonsense(ask: (server: ServerProcess, id: string) => Promise<void>): Promise<void> {
  const server = await startServer();
  const id = await endedConversation(server);
  await ask(server, id);
  expect((await call(server.url, '/conversations', { body: { topic: 'Still there?' } })).status).toBe(201);
  await server.stop();
  expect(server.log.filter(({ level }) => level !== 'info')).toEqual([]);
  expect(server.errors()).toBe('');
}

async function endedConversation({ url }: ServerProcess): Promise<string> {
  const { body } = await call(url, '/conversations', { body: { topic: 'Is it?', maxTurns: 1 } });
  const { id } = body as { id: string };
  await call(url, `/conversations/${id}/terminate`, { method: 'POST' });
  return id;
}

/** The code and the paths of a problem, once all the rest of it is as section 2.5 wants it. */
function verdict({ status, headers, body }: Answer, path: string): { code: ErrorCode; paths: string[] } {
  expect(headers['content-type']).toMatch(/^application\/problem\+json(;|$)/);
  const { code, errors = [], ...rest } = problem.strict().parse(body);
  expect(status).toBe(ERRORS[code].status);
  expect(rest).toEqual({
    type: expect.stringMatching(/^urn:|^https?:|^about:/),
    title: ERRORS[code].title,
    status,
    detail: expect.stringMatching(/\S/),
    instance: path.split('?')[0],
  });
  for (const { message } of errors) expect(message).not.toBe('');
  return { code, paths: errors.map(({ path }) => path).sort() };
}

async function expectRefusals(url: string, id: string, requests: readonly BadRequest[]): Promise<void> {
  const got: unknown[] = [];
  const wanted: unknown[] = [];
  for (const { name, code = 'validation_failed', paths = [], ...request } of requests) {
    const path = request.path
      .replace('{id}', id)
      .replace('{ID}', id.toUpperCase())
      .replace('{tag}', id.slice(-12));
    const answer = await call(url, path, request);
    got.push({ name, ...verdict(answer, path) });
    wanted.push({ name, code, paths: [...paths].sort() });
  }
  expect(got).toEqual(wanted);
}

const creation = ([name, body, ...paths]: BadBody): BadRequest => ({
  name,
  path: '/conversations',
  method: 'POST',
  body,
  headers: JSON_TYPE,
  paths,
});

describe('2.5: what is wrong is refused and named', () => {
  it.each([
    ['in bodies', [FORMS, TOPICS, AGENTS, LIMITS, METADATA].flat().map(creation)],
    ['in queries, paths, methods and media types', [QUERIES, NOT_FOUND, MEDIA_TYPES].flat()],
    ['in commands, and in streams before the upgrade', [COMMANDS, STREAMS].flat()],
  ])('%s', async (_place, requests) => {
    expect(requests.length).toBeGreaterThan(30);
    await nonsense((server, id) => expectRefusals(server.url, id, requests));
  });

  it('2.6: also a provider without a key, and an Idempotency-Key that was used with another body', () =>
    nonsense(async ({ url }, id) => {
      const agents = [{ provider: 'embedded' }, { provider: 'claude' }];
      const claude = creation(['claude', { topic: 'Is it?', agents }, 'agents.1.provider']);
      await expectRefusals(url, id, [{ ...claude, code: 'provider_not_configured' }]);

      const headers = { 'idempotency-key': 'k' };
      await call(url, '/conversations', { headers, body: { topic: 'Is it?' } });
      const second = await call(url, '/conversations', { headers, body: { topic: 'Is it not?' } });
      expect(verdict(second, '/conversations').code).toBe('idempotency_mismatch');
    }));

  it('also what the HTTP parser refuses, in its own words', () =>
    nonsense(async ({ port }) => {
      for (const bytes of [
        'GET /livez HTTP/1.1\r\nhost: localhost\r\nidempotency-key: a\u0001b\r\n\r\n',
        'hello\r\n\r\n',
        'FOO /livez HTTP/1.1\r\nhost: localhost\r\n\r\n',
        'POST /conversations HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n',
        `GET /livez HTTP/1.1\r\nhost: localhost\r\nx: ${'a'.repeat(40_000)}\r\n\r\n`,
      ]) {
        const socket = connect(port, '127.0.0.1');
        socket.end(bytes);
        expect(await readText(socket)).toMatch(/^HTTP\/1\.1 4\d\d /);
      }
    }));
});

/** Ten megabytes, ten times what is allowed. */
const BIG = Buffer.alloc(10 * 1024 * 1024, 'a');

function bigStream(): ReadableStream {
  const pieces = Array.from({ length: 160 }, (_, index) => BIG.subarray(index << 16, (index + 1) << 16));
  return ReadableStream.from(pieces);
}

async function upload(url: string, headers: Record<string, string>): Promise<Answer> {
  const outgoing = startRequest(`${url}/conversations`, { method: 'POST', headers });
  outgoing.end(BIG);
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  return read(response);
}

async function fetched(url: string, body: Buffer | ReadableStream): Promise<Answer> {
  const init = { method: 'POST', headers: JSON_TYPE, body, duplex: 'half' } as RequestInit;
  const response = await fetch(`${url}/conversations`, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    text,
    body: JSON.parse(text),
  };
}

describe('2.5: a body above 1 MiB gets its answer, not a reset', () => {
  const clients: Record<string, (url: string) => Promise<Answer>> = {
    fetch: (url) => fetched(url, BIG),
    'fetch, in chunks': (url) => fetched(url, bigStream()),
    'http.request': (url) => upload(url, { ...JSON_TYPE, 'content-length': String(BIG.length) }),
    'http.request, in chunks': (url) => upload(url, { ...JSON_TYPE, 'transfer-encoding': 'chunked' }),
  };

  it('whatever sends it', () =>
    nonsense(async ({ url }) => {
      for (const [name, send] of Object.entries(clients)) {
        for (let round = 0; round < 5; round++) {
          const wanted = { code: 'payload_too_large', paths: [] };
          expect({ name, ...verdict(await send(url), '/conversations') }).toEqual({ name, ...wanted });
        }
      }
    }));

  it('a body of 1 MiB is read, and one byte more is not', () =>
    nonsense(async ({ url }) => {
      const [start, end] = ['{"topic":"', '"}'];
      for (const [size, code] of [
        [1024 * 1024, 'validation_failed'],
        [1024 * 1024 + 1, 'payload_too_large'],
      ] as const) {
        const body = start + 'a'.repeat(size - start.length - end.length) + end;
        const answer = await call(url, '/conversations', { body, headers: JSON_TYPE });
        expect(verdict(answer, '/conversations').code).toBe(code);
      }
    }));

  it('a body without an end is cut off', () =>
    nonsense(async ({ url }) => {
      const headers = { ...JSON_TYPE, 'transfer-encoding': 'chunked' };
      const outgoing = startRequest(`${url}/conversations`, { method: 'POST', headers });
      const closed = new Promise<void>((resolve) => outgoing.on('close', () => resolve()));
      outgoing.on('error', () => {});
      outgoing.on('response', (response) => response.on('error', () => {}).resume());
      const write = (error?: Error | null): void => {
        if (!error && !outgoing.destroyed) outgoing.write(BIG, write);
      };
      write();
      await expect(closed).resolves.toBeUndefined();
    }));

  it('a client that leaves in the middle of its body is nobody’s fault', () =>
    nonsense(async ({ port }) => {
      const socket = connect(port, '127.0.0.1');
      const type = 'content-type: application/json\r\nexpect: 100-continue';
      socket.write(
        `POST /conversations HTTP/1.1\r\nhost: localhost\r\n${type}\r\ncontent-length: 99\r\n\r\n{"topic"`,
      );
      const [line] = (await once(socket, 'data')) as [Buffer];
      expect(line.toString()).toMatch(/^HTTP\/1\.1 100 /);
      socket.destroy();
    }));
});

describe('2.5: an upgrade that is not for a stream', () => {
  it('is ignored, and the request answered', () =>
    nonsense(async ({ url }) => {
      expect((await call(url, '/livez', { headers: HANDSHAKE })).status).toBe(200);
      const headers = { ...HANDSHAKE, upgrade: 'h2c', connection: 'Upgrade, HTTP2-Settings' };
      expect((await call(url, '/conversations', { headers, body: { topic: 'Is it?' } })).status).toBe(201);
    }));
});
