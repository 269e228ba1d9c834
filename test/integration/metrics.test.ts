import { expect, it } from 'vitest';
import { call } from '../fixtures/http.ts';
import { readSamples } from '../fixtures/metrics.ts';
import { startServer } from '../fixtures/server.ts';
import { startTalk } from '../fixtures/talks.ts';
import { watchEvents, watchSocket } from '../fixtures/watcher.ts';

it.each([
  ['websocket', watchSocket],
  ['sse', watchEvents],
])('7: streams are counted: those that are open, and what comes back (%s)', async (name, watch) => {
  const server = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '20' });
  const sample = async (metric: string) =>
    (await readSamples(server.url)).get(`${metric}{transport="${name}"}`);
  const { id } = await startTalk(server.url, { maxTurns: 500 });
  const first = await watch(server.url, id);
  const { cursor } = await first.until(({ type }) => type === 'turn.delta');
  expect(await sample('ai_stream_clients')).toBe(1);
  expect(await sample('ai_stream_resumes_total')).toBe(0);
  expect(await sample('ai_stream_frames_sent_total')).toBeGreaterThanOrEqual(4);
  first.cut();
  const second = await watch(server.url, id, { after: cursor });
  await second.until(({ type }) => type === 'turn.delta');
  expect(await sample('ai_stream_resumes_total')).toBe(1);
  await expect.poll(() => sample('ai_stream_clients')).toBe(1);
  second.cut();
  await expect.poll(() => sample('ai_stream_clients')).toBe(0);
});

it('7: requests are counted by route template, and a stream has no duration', async () => {
  const server = await startServer();
  const { id } = await startTalk(server.url, { maxTurns: 2 });
  await server.logged(({ event }) => event === 'conversation.ended');
  await call(server.url, `/conversations/${id}`);
  await call(server.url, `/conversations/${id}/events`);
  await call(server.url, `/conversations/${id}x`);
  await call(server.url, '/no/such/place');
  const labelled = (metric: string, method: string, route: string, status: number) =>
    `${metric}{method="${method}",route="${route}",status="${status}"}`;
  const samples = await readSamples(server.url);
  for (const [method, route, status, count] of [
    ['POST', '/conversations', 201, 1],
    ['GET', '/conversations/:id', 200, 1],
    ['GET', '/conversations/:id', 404, 1],
    ['GET', 'none', 404, 1],
  ] as const) {
    expect(samples.get(labelled('ai_http_requests_total', method, route, status)), `${method} ${route}`).toBe(
      count,
    );
    expect(samples.get(labelled('ai_http_request_seconds_count', method, route, status))).toBe(count);
  }
  const events = ['GET', '/conversations/:id/events', 200] as const;
  expect(samples.get(labelled('ai_http_requests_total', ...events))).toBe(1);
  expect(samples.get(labelled('ai_http_request_seconds_count', ...events))).toBeUndefined();
  expect([...samples.keys()].join('\n')).not.toContain(id);
});

it('7: OpenMetrics is given to who asks for it', async () => {
  const { url } = await startServer();
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5';
  const open = await fetch(`${url}/metrics`, { headers: { accept } });
  expect(open.headers.get('content-type')).toMatch(/^application\/openmetrics-text; version=1\.0\.0/);
  expect(await open.text()).toMatch(/# EOF\n$/);
  const text = await fetch(`${url}/metrics`);
  expect(text.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
});
