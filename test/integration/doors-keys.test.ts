import { describe, expect, it, onTestFinished } from 'vitest';
import { type Answer, call } from '../fixtures/http.ts';
import { bearer, keyOf, listed } from '../fixtures/keys.ts';
import { startServer } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';

const acme = keyOf('acme', 'acme');
const other = keyOf('other', 'other');
const reader = keyOf('acme', 'reader', ['conversations:read']);
const meter = keyOf('acme', 'meter', ['metrics:read']);
const one = keyOf('acme', 'one', ['conversations:write'], { limits: { requestsPerMinute: 1 } });
const broke = keyOf('acme', 'broke', ['conversations:write'], { limits: { tokensPerDay: 0 } });
const API_KEYS = listed(acme, other, reader, meter, one, broke);
const HOOK = { url: 'https://93.184.216.34/', events: ['*'] };
const TALK = { model: 'panel/panel', messages: [{ role: 'user', content: 'Tea?' }] };

type Headers = Record<string, string>;
const tool =
  (name: string, given: object) =>
  (url: string, headers: Headers): Promise<Answer> =>
    call(url, '/mcp', {
      headers: { ...headers, accept: 'application/json, text/event-stream' },
      body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: given } },
    });
const route =
  (path: string, body?: object) =>
  (url: string, headers: Headers): Promise<Answer> =>
    call(url, path, { headers, ...(body ? { body } : {}) });

/** What each door has: something that reads, and something that writes. */
const DOORS = {
  '12 webhooks': { reads: route('/webhooks'), writes: route('/webhooks', HOOK) },
  '13.1 MCP': { reads: tool('search', { q: 'tea' }), writes: tool('start_conversation', { topic: 'Tea?' }) },
  '13.2 OpenAI’s form': { reads: route('/v1/models'), writes: route('/v1/chat/completions', TALK) },
};

/** The status that an answer has, or that the code within it stands for. */
function outcomeOf({ status, text }: Answer): number {
  if (status !== 200) return status;
  if (/forbidden/.test(text)) return 403;
  return /budget_spent/.test(text) ? 429 : 200;
}

describe.each(Object.entries(DOORS))('8.3, 8.4, 8.8: %s', (_, { reads, writes }) => {
  it('asks for keys as the routes do: none, a wrong one, one of too small a scope', async () => {
    const { url } = await startServer({ API_KEYS });
    for (const ask of [reads, writes]) {
      for (const headers of [{}, bearer('aic_wrong'), { authorization: 'Basic YTpi' }]) {
        const answered = await ask(url, headers);
        expect([answered.status, answered.headers['www-authenticate']]).toEqual([401, 'Bearer']);
      }
      expect(outcomeOf(await ask(url, meter.headers))).toBe(403);
    }
    expect(outcomeOf(await reads(url, reader.headers))).toBe(200);
    expect(outcomeOf(await writes(url, reader.headers))).toBe(403);
    expect([200, 201]).toContain(outcomeOf(await writes(url, acme.headers)));
  });

  it('counts requests a minute', async () => {
    const { url } = await startServer({ API_KEYS });
    expect(outcomeOf(await reads(url, one.headers))).toBe(200);
    const answered = await reads(url, one.headers);
    expect([answered.status, answered.headers['ratelimit-remaining']]).toEqual([429, '0']);
    expect(Number(answered.headers['retry-after'])).toBeGreaterThan(0);
  });
});

it('8.8: a spent day starts no conversation by any door', async () => {
  const { url } = await startServer({ API_KEYS });
  for (const door of ['13.1 MCP', '13.2 OpenAI’s form'] as const) {
    expect([door, outcomeOf(await DOORS[door].writes(url, broke.headers))]).toEqual([door, 429]);
  }
});

it('8.4: what belongs to another tenant isn’t there by any door', async () => {
  const { url } = await startServer({ API_KEYS });
  const { id: hook } = (await route('/webhooks', HOOK)(url, acme.headers)).body as { id: string };
  const { body } = await route('/conversations', { topic: 'Tea?', maxTurns: 1 })(url, acme.headers);
  const { id } = body as { id: string };
  const settings = { agents: [{ provider: 'embedded' }, { provider: 'embedded' }] };
  const scenario = { title: 'Own', description: 'For a test.', settings };
  await call(url, '/scenarios/own', { method: 'PUT', headers: acme.headers, body: scenario });
  for (const [headers, isOwn] of [
    [acme.headers, true],
    [other.headers, false],
  ] as const) {
    expect((await call(url, `/webhooks/${hook}`, { headers })).status).toBe(isOwn ? 200 : 404);
    expect((await call(url, '/webhooks', { headers })).text.includes(hook)).toBe(isOwn);
    const made = await route('/webhooks', { ...HOOK, conversationId: id })(url, headers);
    expect(made.status).toBe(isOwn ? 201 : 404);
    for (const name of ['get_conversation', 'read_messages', 'wait_for_end', 'end_conversation']) {
      const { text } = await tool(name, { id })(url, headers);
      expect([name, text.includes('not_found')]).toEqual([name, !isOwn]);
    }
    expect((await tool('search', { q: 'tea' })(url, headers)).text.includes(id)).toBe(isOwn);
    expect((await call(url, '/v1/models', { headers })).text.includes('panel/own')).toBe(isOwn);
    const asked = await route('/v1/chat/completions', { ...TALK, model: 'panel/own', stream: false })(
      url,
      isOwn ? reader.headers : headers,
    );
    expect(asked.status).toBe(isOwn ? 403 : 404);
  }
  for (const [method, path] of [
    ['DELETE', ''],
    ['POST', '/test'],
    ['POST', '/rotate'],
  ] as const) {
    const { status } = await call(url, `/webhooks/${hook}${path}`, { method, headers: other.headers });
    expect(status).toBe(404);
  }
});

it('8.8: a streamed completion is one of the streams of its key', async () => {
  const watching = keyOf('acme', 'watching', ['conversations:write'], { limits: { streams: 1 } });
  const { url } = await startServer({ API_KEYS: listed(watching), EMBEDDED_TOKEN_DELAY_MS: '1000' });
  const leaving = new AbortController();
  const ask = (stream: boolean, signal: AbortSignal | null = null) =>
    fetch(`${url}/v1/chat/completions`, {
      method: 'POST',
      headers: { ...watching.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ ...TALK, stream }),
      signal,
    });
  const first = await ask(true, leaving.signal);
  expect(first.status).toBe(200);
  const id = first.headers.get('x-aic-conversation-id') ?? '';
  expect((await ask(true)).status).toBe(429);
  const events = `/conversations/${id}/events`;
  const refused = await call(url, events, { headers: watching.headers });
  expect([refused.status, refused.body]).toMatchObject([429, { code: 'rate_limited' }]);
  const { items } = (await call(url, '/conversations', { headers: watching.headers })).body as {
    items: object[];
  };
  // What was refused began nothing.
  expect(items).toHaveLength(1);
  leaving.abort();
  await expect.poll(async () => (await ask(true)).status).toBe(200);
});

it('8.8: a conversation beyond those that a key may have active waits, by whichever door it came', async () => {
  const vendor = await startSteppedVendor();
  onTestFinished(() => vendor[Symbol.asyncDispose]());
  const single = keyOf('acme', 'single', ['conversations:write'], { limits: { activeConversations: 1 } });
  const { url } = await startServer({ ...vendor.environment, API_KEYS: listed(single) });
  const { headers } = single;
  const agents = ['Ada', 'Ben'].map((name) => ({ provider: 'local', name }));
  const scenario = { title: 'Own', description: 'For a test.', settings: { agents, maxTurns: 1 } };
  await call(url, '/scenarios/own', { method: 'PUT', headers, body: scenario });
  const statuses = async () =>
    (
      (await call(url, '/conversations', { headers })).body as { items: { id: string; status: string }[] }
    ).items.map(({ status }) => status);
  const first = route('/v1/chat/completions', { ...TALK, model: 'panel/own' })(url, headers);
  const attempt = await vendor.nextCall();
  const second = route('/v1/chat/completions', { ...TALK, model: 'panel/own' })(url, headers);
  await expect.poll(statuses).toEqual(['queued', 'running']);
  const third = await tool('start_conversation', { topic: 'Tea?', scenario: 'own' })(url, headers);
  expect(third.text).toContain('queued');
  await attempt.say('Well.');
  attempt.finish();
  expect((await first).status).toBe(200);
  for (const text of ['Yes.', 'No.']) {
    const next = await vendor.nextCall();
    await next.say(text);
    next.finish();
  }
  expect((await second).status).toBe(200);
  await expect.poll(statuses).toEqual(['terminated', 'terminated', 'terminated']);
});
