import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { startBalancer } from '../fixtures/balancer.ts';
import { follow } from '../fixtures/follower.ts';
import { type Call, call } from '../fixtures/http.ts';
import { freePort } from '../fixtures/ports.ts';
import { type ServerProcess, startServer, temporaryFolder } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS } from '../fixtures/watcher.ts';

const MIB = 1024 * 1024;

/** One instance, which the balancer takes for all three. */
async function balancerOf({ port }: ServerProcess): ReturnType<typeof startBalancer> {
  return startBalancer([port, port, port]);
}

it.each(TRANSPORTS)(
  '4.1: a whole conversation comes through the balancer by $name',
  async ({ watch, ended }) => {
    const { url } = await balancerOf(await startServer({ EMBEDDED_TOKEN_DELAY_MS: '1' }));
    const { id } = await startTalk(url, { maxTurns: 6 });
    const watcher = await watch(url, id);
    expect(await watcher.closed).toBe(ended);
    const { events } = follow(watcher.frames);
    expect(events).toEqual(await readLog(url, id));
    expect(turnsOf(events)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(watcher.frames.filter(({ type }) => type === 'turn.delta').length).toBeGreaterThan(12);
  },
);

it.each(TRANSPORTS)('4: by $name, the balancer holds no frame back', async ({ watch }) => {
  await using vendor = await startSteppedVendor();
  const server = await startServer(vendor.environment);
  const { url } = await balancerOf(server);
  const { id } = await startTalk(url, {
    agents: [{ provider: 'local' }, { provider: 'local' }],
    maxTurns: 1,
  });
  const watcher = await watch(url, id);
  const answer = await vendor.nextCall();
  // Each word arrives while the vendor waits with the next one: held back, it would never come.
  for (const word of ['One ', 'two ', 'three.']) {
    await answer.say(word);
    await watcher.until((frame) => frame.type === 'turn.delta' && frame.text.includes(word.trim()));
  }
  answer.finish();
  await watcher.closed;
  expect(follow(watcher.frames).ended).toBe(true);
});

it.each(TRANSPORTS)(
  '6: by $name, an instance that ends says so through the balancer',
  async ({ watch, goneAway }) => {
    const server = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '5' });
    const { url } = await balancerOf(server);
    const { id } = await startTalk(url, { maxTurns: 10_000 });
    const watcher = await watch(url, id);
    await watcher.until(({ type }) => type === 'turn.delta');
    expect(await server.stop()).toBe(0);
    expect(await watcher.closed).toBe(goneAway);
  },
);

it('no request fails while all instances are restarted, one after the other, and none is done twice', async () => {
  const folders = [temporaryFolder(), temporaryFolder()];
  const ports = [await freePort(), await freePort()] as const;
  const servers = await Promise.all(
    folders.map((DATA_DIR, index) => startServer({ DATA_DIR, PORT: String(ports[index]) })),
  );
  const balancer = await startBalancer([ports[0], ports[1], ports[1]]);

  const created: string[] = [];
  const failures: unknown[] = [];
  const done = new AbortController();
  /** One request after the other, as fast as they are answered. */
  const client = async (name: string): Promise<void> => {
    for (let count = 0; !done.signal.aborted; count++) {
      const answers = [
        await call(balancer.url, '/conversations', {
          headers: count % 2 ? { 'idempotency-key': `${name} ${count}` } : {},
          body: { topic: `${name} ${count}`, maxTurns: 1 },
        }),
        await call(balancer.url, '/conversations'),
        await call(balancer.url, '/readyz'),
      ];
      const [post] = answers;
      if (post?.status === 201) created.push((post.body as { id: string }).id);
      failures.push(...answers.filter(({ status }) => status >= 400));
    }
  };
  const clients = ['Ada', 'Ben', 'Cleo', 'Dan'].map(client);
  for (const [index, folder] of folders.entries()) {
    const before = created.length;
    expect(await servers[index]?.stop()).toBe(0);
    const environment = { DATA_DIR: folder, PORT: String(ports[index]) };
    servers[index] = await startServer(environment);
    // nginx has to find out that it is back before the next one goes.
    await servers[index].logged(({ event, status }) => event === 'request.completed' && status === 200);
    expect(created.length).toBeGreaterThan(before);
  }
  done.abort();
  await Promise.all(clients);
  expect(failures).toEqual([]);

  const kept = await Promise.all(servers.map(({ url }) => idsOf(url)));
  expect(kept.flat().sort()).toEqual(created.sort());
  // It really happened: something was sent to one instance and answered by another.
  const lines = await balancer.stop();
  expect(lines.filter(({ instance }) => instance.includes(', ')).length).toBeGreaterThan(0);
});

async function idsOf(url: string): Promise<string[]> {
  const client = createClient({ baseUrl: url });
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.listConversations({ limit: 200, ...(cursor === undefined ? {} : { cursor }) });
    ids.push(...page.items.map(({ id }) => id));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  return ids;
}

it.each([
  ['answers 503', (response: ServerResponse) => response.writeHead(503, { 'retry-after': '5' }).end()],
  ['dies when it may have done what was asked', (response: ServerResponse) => response.destroy()],
])('2.6: what an instance had that %s is sent on, POST under one Idempotency-Key', async (_what, fail) => {
  const requests: [method: string | undefined, key: string | undefined, body: string][] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.url === '/livez') return void response.end();
    requests.push([request.method, request.headers['idempotency-key'] as string, await text(request)]);
    if (requests.length === 1) fail(response);
    else response.writeHead(201).end('{}');
  };
  const instance = createServer((request, response) => void answer(request, response));
  instance.listen(0, '127.0.0.1');
  await once(instance, 'listening');
  onTestFinished(() => instance.close().closeAllConnections());
  const { port } = instance.address() as AddressInfo;

  const sent = async (path: string, request: Call) => {
    requests.length = 0;
    // One that knows of no failure yet.
    const { url } = await startBalancer([port, port, port]);
    expect((await call(url, path, request)).status).toBe(201);
    const [first, second, third] = requests;
    expect(second).toEqual(first);
    expect(third).toBeUndefined();
    return first;
  };
  const body = { topic: 'tea' };
  const one = await sent('/conversations', { body });
  const another = await sent('/conversations', { body });
  for (const request of [one, another]) {
    expect(request).toEqual(['POST', expect.stringMatching(/^\w{32}$/), '{"topic":"tea"}']);
  }
  expect(one).not.toEqual(another);
  const given = await sent('/conversations', { body, headers: { 'idempotency-key': 'mine' } });
  expect(given).toEqual(['POST', 'mine', '{"topic":"tea"}']);
  expect(await sent('/conversations', {})).toEqual(['GET', undefined, '']);
  expect(await sent('/conversations/1/terminate', { method: 'POST' })).toEqual(['POST', undefined, '']);
});

it('2.1: a body of 1 MiB passes; a larger one gets the 413 of the protocol, whoever refuses it', async () => {
  const server = await startServer();
  const { url } = await balancerOf(server);
  const bodyOf = (length: number): string => {
    const [head, tail] = ['{"topic":"tea","maxTurns":1', '}'];
    return head + ' '.repeat(length - head.length - tail.length) + tail;
  };
  const post = (to: string, length: number) =>
    call(to, '/conversations', {
      headers: { 'content-type': 'application/json', 'content-length': String(length) },
      body: bodyOf(length),
    });
  expect((await post(url, MIB)).status).toBe(201);
  const ours = await post(server.url, MIB + 1);
  expect(ours).toMatchObject({ status: 413, body: { code: 'payload_too_large' } });
  for (const length of [MIB + 1, 2 * MIB, 20 * MIB]) {
    const answer = await post(url, length);
    expect(answer).toMatchObject({ status: 413, body: ours.body });
    expect(answer.headers['content-type']).toBe(ours.headers['content-type']);
    expect(answer.headers['x-request-id']).toMatch(/^[\w-]+$/);
  }
});

it('2.5: with no instance left, the balancer answers 503 as the server would', async () => {
  const server = await startServer();
  const { url } = await balancerOf(server);
  await server.stop();
  for (const request of [{ method: 'GET' }, { body: { topic: 'tea' } }]) {
    const answer = await call(url, '/conversations', request);
    expect(answer).toMatchObject({
      status: 503,
      body: { type: 'urn:problem:overloaded', status: 503, code: 'overloaded', instance: '/conversations' },
    });
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  }
});

it('the balancer has no metrics, and logs requests under the id that the instance gave them', async () => {
  const { url, stop } = await balancerOf(await startServer());
  expect(await call(url, '/metrics')).toMatchObject({ status: 404, body: { code: 'not_found' } });
  const { headers } = await call(url, '/providers?after=secret');
  const lines = await stop();
  expect(lines.at(-1)).toMatchObject({ status: 200, request_id: headers['x-request-id'] });
  expect(JSON.stringify(lines)).not.toContain('secret');
});
