import { expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { call } from '../fixtures/http.ts';
import { seededRandom } from '../fixtures/random.ts';
import { startServer } from '../fixtures/server.ts';

const HEADERS = { 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
const CALL = {
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'start_conversation', arguments: { topic: 'Tea?', maxTurns: 1 } },
};

/** Where a request can be wrong, and with what; each is wrong by itself. */
const WRONG: [path: string, values: unknown[]][] = [
  ['jsonrpc', [null, 2, '1.0', '', {}]],
  ['id', [{}, [], true]],
  ['method', [null, 7, '', 'tools/destroy', 'constructor', {}]],
  ['params', [null, 7, 'x', [], {}]],
  ['params.name', [null, 7, '', 'destroy', '__proto__', {}]],
  ['params.arguments', [7, 'x', [], {}]],
  ['params.arguments.topic', [null, 7, '', ' ', 'a\u0000b', 'x'.repeat(2001), {}, []]],
  ['params.arguments.maxTurns', [null, 0, -1, 1.5, '3', 1e9]],
  ['params.arguments.scenario', [7, 'none', {}, '__proto__']],
  ['params.arguments.agents', [7, {}, [], [{}], [null, null], [{ provider: 'hal' }, { provider: 'hal' }]]],
  ['params.arguments.colour', ['red']],
];

function wrongCall(path: string, value: unknown): object {
  const body = structuredClone(CALL) as unknown as Record<string, unknown>;
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  const at = steps.reduce((within, step) => (within as Record<string, unknown>)[step], body as unknown);
  (at as Record<string, unknown>)[last] = value;
  return body;
}

it('13.1: bad requests are refused with 4xx, an error or a tool’s refusal, and begin nothing', async () => {
  const { url } = await startServer();
  const random = seededRandom(20_251_125);
  const whole = JSON.stringify(CALL);
  const texts: (string | Buffer)[] = [
    ...WRONG.flatMap(([path, values]) => values.map((value) => JSON.stringify(wrongCall(path, value)))),
    ...Array.from({ length: 20 }, () => whole.slice(0, Math.floor(random() * (whole.length - 1)))),
    Buffer.from([0x7b, 0xff, 0xfe, 0x7d]),
    '['.repeat(50_000),
  ];
  for (const body of texts) {
    const { status, text } = await call(url, '/mcp', { method: 'POST', body, headers: HEADERS });
    const shown = body.toString().slice(0, 200);
    const isRefused = status >= 400 ? status < 500 : /"error":\{|"isError":true/.test(text);
    expect([shown, status, text, isRefused]).toEqual([shown, status, text, true]);
  }
  const large = { ...CALL, params: { ...CALL.params, arguments: { topic: 'x'.repeat(20_000_000) } } };
  const headers = { ...HEADERS, connection: 'close' };
  expect((await call(url, '/mcp', { body: large, headers })).status).toBe(413);
  const plain = { ...HEADERS, 'content-type': 'text/plain' };
  expect([400, 415]).toContain(
    (await call(url, '/mcp', { method: 'POST', body: whole, headers: plain })).status,
  );
  expect((await createClient({ baseUrl: url }).listConversations({})).items).toEqual([]);
  expect((await call(url, '/mcp', { method: 'POST', body: whole, headers: HEADERS })).text).toContain('Tea?');
});
