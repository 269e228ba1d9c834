import { connect } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { startRudeClients } from '../../bench/harness/rude-clients.ts';
import { call } from '../fixtures/http.ts';
import { metric, settledMemory, WITH_INSPECTOR } from '../fixtures/memory.ts';
import { startServer } from '../fixtures/server.ts';

const CONVERSATIONS = 100;
const REQUESTS = 100;

it('8.8: 2,000 idle, 200 slowly writing and 200 never reading connections keep nobody else from an answer', async () => {
  const server = await startServer({ ...WITH_INSPECTOR, EMBEDDED_TOKEN_DELAY_MS: '20' });
  const { url, port } = server;
  const body = {
    topic: 'Is it?',
    maxTurns: 10_000,
    termination: { phrases: [], similarity: { threshold: 1 } },
  };
  const made = await Promise.all(
    Array.from({ length: CONVERSATIONS }, () => call(url, '/conversations', { body })),
  );
  const [id = ''] = made.map((answer) => (answer.body as { id: string }).id);
  const before = await settledMemory(server);
  const rude = await startRudeClients(port, id, { idle: 2000, slowWriting: 200, neverReading: 200 });
  const statuses: number[] = [];
  for (let index = 0; index < REQUESTS; index++) {
    const ask = index % 2 === 0 ? call(url, `/conversations/${id}`) : call(url, '/conversations', { body });
    statuses.push((await ask).status);
  }
  expect(new Set(statuses)).toEqual(new Set([200, 201]));
  // Who says nothing is cut off after a while, and who reads nothing has a bound.
  await expect.poll(rude.cut).toBeGreaterThan(0);
  expect((await settledMemory(server)).heap - before.heap).toBeLessThan(100 * 1024 * 1024);
  expect(await metric(server, 'ai_active_conversations')).toBeGreaterThanOrEqual(CONVERSATIONS);
  rude.close();
  expect((await call(url, '/readyz')).status).toBe(200);
  expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
});

it('8.8: a connection on which more than 32 requests wait for their answers is cut off', async () => {
  const { url, port } = await startServer();
  const asked = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n${more}\r\n`;
  /** The answers that came until the server closed the connection. */
  const answers = async (...requests: string[]): Promise<number> => {
    const socket = connect(port, '127.0.0.1');
    for (const request of requests) socket.write(request);
    const text = await readText(socket).catch(() => '');
    return text.match(/HTTP\/1\.1 200 /g)?.length ?? 0;
  };
  const last = asked('/livez', 'connection: close\r\n');
  expect(await answers(asked('/openapi.json').repeat(31), last)).toBe(32);
  const body = { topic: 'Is it?', turnDelayMs: 60_000 };
  const { id } = (await call(url, '/conversations', { body })).body as { id: string };
  // Behind a stream that doesn't end, all others wait.
  expect(await answers(asked(`/conversations/${id}/events`), asked('/livez').repeat(31), last)).toBeLessThan(
    2,
  );
  expect((await call(url, '/livez')).status).toBe(200);
});
