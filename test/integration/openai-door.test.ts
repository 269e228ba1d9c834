import OpenAI, { BadRequestError, NotFoundError } from 'openai';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { BUILT_IN_SCENARIOS } from '../../src/conversation/scenarios/built-in.ts';
import { ended, get } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { startServer } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { answer, fault, startVendor } from '../fixtures/vendors.ts';

const ASKED = [{ role: 'user', content: 'Should science be open by default?' }] as const;
const COMPLETIONS = '/v1/chat/completions';

/** The real client, which asks nothing twice unless a test says so. */
function openAi(url: string, maxRetries = 0): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries });
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const had: Item[] = [];
  for await (const item of items) had.push(item);
  return had;
}

/** What a conversation comes to as one text. */
async function transcriptOf(url: string, id: string): Promise<string> {
  const { items } = await createClient({ baseUrl: url }).messages(id, { limit: 200 });
  return items
    .slice(1)
    .map(({ sender, content }) => `**${sender}**: ${content}`)
    .join('\n\n');
}

/** A scenario of one's own, of two agents that a vendor plays. */
async function keepScenario(url: string, settings: object): Promise<void> {
  const body = { title: 'Own', description: 'For a test.', settings };
  const answered = await call(url, '/scenarios/own', { method: 'PUT', body });
  expect([answered.status, answered.text]).toEqual([201, expect.anything()]);
}

const PAIR = {
  agents: [
    { provider: 'local', name: 'Ada' },
    { provider: 'local', name: 'Ben' },
  ],
};

describe('13.2: GET /v1/models', () => {
  it('lists the scenarios, but none that waits for a person', async () => {
    const { url } = await startServer();
    await keepScenario(url, { agents: [{ provider: 'embedded' }, { provider: 'human', name: 'Me' }] });
    const models = (await openAi(url).models.list()).data.map(({ id }) => id);
    expect(models).toEqual(BUILT_IN_SCENARIOS.map(({ name }) => `panel/${name}`));
    await keepScenarioAgain(url, { agents: [{ provider: 'embedded' }, { provider: 'embedded' }] });
    expect((await openAi(url).models.list()).data.at(-1)).toMatchObject({ id: 'panel/own', object: 'model' });
    await keepScenarioAgain(url, { approval: 'every_turn' });
    expect((await openAi(url).models.list()).data.map(({ id }) => id)).not.toContain('panel/own');
    const asked = openAi(url).chat.completions.create({ model: 'panel/own', messages: [...ASKED] });
    await expect(asked).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  async function keepScenarioAgain(url: string, settings: object): Promise<void> {
    const body = { title: 'Own', description: 'For a test.', settings };
    expect((await call(url, '/scenarios/own', { method: 'PUT', body })).status).toBe(200);
  }
});

describe('13.2: POST /v1/chat/completions', () => {
  it('runs a conversation on the last user message, and answers with all that was said', async () => {
    const { url } = await startServer();
    const { data, response } = await openAi(url)
      .chat.completions.create({
        model: 'panel/debate',
        messages: [...ASKED],
        metadata: { experiment: '42' },
      })
      .withResponse();
    const id = response.headers.get('x-aic-conversation-id') ?? '';
    const conversation = await get(url, id);
    expect(conversation).toMatchObject({
      topic: ASKED[0].content,
      status: 'terminated',
      termination: { reason: 'completed' },
      settings: { scenario: 'debate', openingMessage: ASKED[0].content },
      metadata: { experiment: '42' },
    });
    const { inputTokens, outputTokens, totalTokens } = conversation.usage;
    expect(data).toMatchObject({
      object: 'chat.completion',
      model: 'panel/debate',
      choices: [{ index: 0, message: { role: 'assistant' }, finish_reason: 'stop' }],
      usage: { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: totalTokens },
    });
    const content = data.choices[0]?.message.content ?? '';
    const said = await transcriptOf(url, id);
    expect(content.startsWith(`${said}\n\n**Verdict**: `)).toBe(true);
    expect(said).toContain('**Pro**: ');
    expect(said).toContain('\n\n**Contra**: ');
  });

  it('streams it piece by piece to the same text, with the usage where it is asked for', async () => {
    const { url } = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '1' });
    const { data: stream, response } = await openAi(url)
      .chat.completions.create({
        model: 'panel/panel',
        messages: [...ASKED],
        stream: true,
        stream_options: { include_usage: true },
      })
      .withResponse();
    const chunks = await all(stream);
    const id = response.headers.get('x-aic-conversation-id') ?? '';
    const text = chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('');
    expect(text).toBe(await transcriptOf(url, id));
    expect(chunks.length).toBeGreaterThan(20);
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' });
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe('stop');
    const { usage } = await get(url, id);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: usage.totalTokens } });
  });

  it('says each word as it is said', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const { url } = await startServer(vendor.environment);
    await keepScenario(url, { ...PAIR, maxTurns: 2 });
    const stream = await openAi(url).chat.completions.create({
      model: 'panel/own',
      messages: [...ASKED],
      stream: true,
    });
    const pieces = stream[Symbol.asyncIterator]();
    const next = async () => (await pieces.next()).value?.choices[0]?.delta.content;
    expect(await next()).toBe('');
    const first = await vendor.nextCall();
    await first.say('Well');
    expect(await next()).toBe('**Ada**: Well');
    await first.say(', yes.');
    expect(await next()).toBe(', yes.');
    first.finish();
    const second = await vendor.nextCall();
    await second.say('No.');
    expect(await next()).toBe('\n\n**Ben**: No.');
    second.finish();
    expect((await pieces.next()).value?.choices[0]?.finish_reason).toBe('stop');
  });

  it('says of a text that is void that it broke off, and begins anew', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const { url } = await startServer({ ...vendor.environment, RETRY_TRIES: '2', RETRY_FIRST_DELAY_MS: '0' });
    await keepScenario(url, { ...PAIR, maxTurns: 1 });
    const stream = await openAi(url).chat.completions.create({
      model: 'panel/own',
      messages: [...ASKED],
      stream: true,
    });
    const first = await vendor.nextCall();
    await first.say('Well');
    const text: string[] = [];
    for await (const { choices } of stream) {
      const piece = choices[0]?.delta.content ?? '';
      text.push(piece);
      if (piece.endsWith('Well')) {
        first.cut();
        const again = await vendor.nextCall();
        await again.say('I mean no.');
        again.finish();
      }
    }
    expect(text.join('')).toBe('**Ada**: Well …\n\n*(This answer broke off.)*\n\n**Ada**: I mean no.');
  });

  it('gives only the verdict, the vote or the last message where that is asked for', async () => {
    const { url } = await startServer();
    const ask = async (model: string, stream: boolean) => {
      const body = { model, messages: ASKED, stream, metadata: { answer: 'outcome' } };
      const answered = await call(url, COMPLETIONS, { body });
      const id = answered.headers['x-aic-conversation-id'] as string;
      if (!stream) {
        const { choices } = answered.body as OpenAI.ChatCompletion;
        return { id, content: choices[0]?.message.content };
      }
      const chunks = answered.text
        .split('\n\n')
        .filter((line) => line.startsWith('data: {'))
        .map((line) => JSON.parse(line.slice(6)) as OpenAI.ChatCompletionChunk);
      return { id, content: chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('') };
    };
    for (const stream of [false, true]) {
      expect((await ask('panel/debate', stream)).content).toMatch(
        /^\*\*Verdict\*\*: .+ \(Pro [\d.]+, Contra [\d.]+\)/,
      );
      expect((await ask('panel/peer-review', stream)).content).toMatch(/^\*\*Vote\*\*: .*accept \d/);
      const { id, content } = await ask('panel/panel', stream);
      const { items } = await createClient({ baseUrl: url }).messages(id, { limit: 200 });
      expect(content).toBe(items.at(-1)?.content);
    }
  });

  it('takes the earlier messages as the beginning of the talk, the earliest left out where there is no room', async () => {
    const prompts: string[] = [];
    const vendor = await startVendor('openai', ({ body }) => {
      prompts.push(JSON.stringify(body));
      return answer('Fine.');
    });
    onTestFinished(vendor.close);
    const { url } = await startServer({
      LOCAL_BASE_URL: vendor.baseUrl,
      LOCAL_MODEL: 'm',
      MAX_MESSAGE_LENGTH: '3000',
    });
    await keepScenario(url, { ...PAIR, maxTurns: 1 });
    const { response } = await openAi(url)
      .chat.completions.create({
        model: 'panel/own',
        messages: [
          { role: 'system', content: 'Be brief.' },
          { role: 'user', content: 'Tea?', name: 'Zoe' },
          { role: 'assistant', content: 'Green tea.' },
          { role: 'user', content: [{ type: 'text', text: `And coffee? ${'x'.repeat(2500)}` }] },
        ],
      })
      .withResponse();
    const { topic, settings } = await get(url, response.headers.get('x-aic-conversation-id') ?? '');
    expect([...topic]).toHaveLength(2000);
    expect(settings.openingMessage).toMatch(
      /^Said before:\n\nSystem: Be brief\.\n\nZoe: Tea\?\n\nAssistant: Green tea\.\n\nSaid now:\n\nAnd coffee\? x+$/,
    );
    for (const said of ['Be brief.', 'Tea?', 'Green tea.', 'And coffee?']) expect(prompts[0]).toContain(said);
    const long = await call(url, COMPLETIONS, {
      body: {
        model: 'panel/own',
        messages: [
          { role: 'user', content: 'y'.repeat(2000) },
          { role: 'assistant', content: 'Green tea.' },
          { role: 'user', content: 'z'.repeat(2000) },
        ],
      },
    });
    const { settings: cut } = await get(url, long.headers['x-aic-conversation-id'] as string);
    expect(cut.openingMessage).toMatch(
      /^Said before:\n\n\[What was said earlier is left out\.\]\n\nAssistant: Green tea\.\n\nSaid now:\n\nz+$/,
    );
  });

  it('ends the conversation with `user` when the connection is closed, streamed or not', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const { url } = await startServer(vendor.environment);
    await keepScenario(url, PAIR);
    for (const stream of [false, true]) {
      const leaving = new AbortController();
      const asked = fetch(`${url}${COMPLETIONS}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'panel/own', messages: ASKED, stream }),
        signal: leaving.signal,
      });
      const attempt = await vendor.nextCall();
      await attempt.say('Well');
      leaving.abort();
      await asked.catch(() => {});
      await attempt.abandoned;
      const { items } = await createClient({ baseUrl: url }).listConversations({ limit: 1 });
      const { termination, turns } = await ended(url, items[0]?.id ?? '');
      expect({ termination, turns }).toEqual({
        termination: { reason: 'user', detail: 'the connection was closed', by: 'user' },
        turns: 0,
      });
    }
  });

  it('tells who waits as the server shuts down, and ends the conversation', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const server = await startServer(vendor.environment);
    await keepScenario(server.url, PAIR);
    const body = { model: 'panel/own', messages: ASKED };
    const whole = call(server.url, COMPLETIONS, { body });
    const streamed = call(server.url, COMPLETIONS, { body: { ...body, stream: true } });
    await vendor.nextCall();
    await vendor.nextCall();
    const stopped = server.stop();
    expect(await whole).toMatchObject({ status: 503, body: { error: { code: 'overloaded' } } });
    expect((await streamed).text).toMatch(/"code":"overloaded"\}\}\n\n$/);
    expect(await stopped).toBe(0);
  });
});

describe('13.2: errors in the form of OpenAI', () => {
  it('are of OpenAI’s classes for what is wrong with a request', async () => {
    const { url } = await startServer();
    const client = openAi(url);
    const unknown = client.chat.completions.create({ model: 'gpt-5.5', messages: [...ASKED] });
    await expect(unknown).rejects.toBeInstanceOf(NotFoundError);
    const picture = client.chat.completions.create({
      model: 'panel/debate',
      messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:' } }] }],
    });
    await expect(picture).rejects.toBeInstanceOf(BadRequestError);
    await expect(picture).rejects.toMatchObject({ type: 'invalid_request_error', code: 'validation_failed' });
    const cases: [unknown, string][] = [
      [{}, 'model'],
      [{ model: 'panel/debate' }, 'messages'],
      [{ model: 'panel/debate', messages: [] }, 'messages'],
      [{ model: 'panel/debate', messages: [{ role: 'assistant', content: 'Hello' }] }, 'messages'],
      [{ model: 'panel/debate', messages: [{ role: 'user', content: ' ' }] }, 'messages'],
      [{ model: 'panel/debate', messages: [{ role: 'user', content: 'a\u0000b' }] }, 'messages'],
      [{ model: 'panel/debate', messages: [{ role: 'narrator', content: 'x' }] }, 'messages.0.role'],
      [{ model: 'panel/debate', messages: ASKED, metadata: { answer: 'all' } }, 'metadata.answer'],
      [{ model: 'panel/debate', messages: ASKED, metadata: { a: {} } }, 'metadata.a'],
    ];
    for (const [body, param] of cases) {
      const answered = await call(url, COMPLETIONS, { body });
      expect(answered).toMatchObject({
        status: 400,
        body: { error: { type: 'invalid_request_error', param, code: 'validation_failed' } },
      });
    }
    expect(
      await call(url, COMPLETIONS, { body: '{', headers: { 'content-type': 'application/json' } }),
    ).toMatchObject({
      status: 400,
      body: { error: { code: 'validation_failed' } },
    });
    expect(await call(url, '/v1/embeddings', { body: {} })).toMatchObject({
      status: 404,
      body: { error: { code: 'not_found' } },
    });
    expect(
      await call(url, COMPLETIONS, { body: {}, headers: { origin: 'https://elsewhere.example' } }),
    ).toMatchObject({
      status: 403,
      body: { error: { code: 'insufficient_permissions' } },
    });
  });

  it('say that a conversation failed: 502, in a stream as its last event, and are not asked for again', async () => {
    let calls = 0;
    const vendor = await startVendor('openai', () => {
      calls++;
      return fault('authentication');
    });
    onTestFinished(vendor.close);
    const { url } = await startServer({ LOCAL_BASE_URL: vendor.baseUrl, LOCAL_MODEL: 'm' });
    await keepScenario(url, PAIR);
    const body = { model: 'panel/own', messages: [...ASKED] };
    const failure = { type: 'upstream_error', code: 'upstream_error' };
    const whole = openAi(url, 2).chat.completions.create(body);
    await expect(whole).rejects.toMatchObject({ status: 502, ...failure });
    expect(calls).toBe(1);
    const stream = await openAi(url).chat.completions.create({ ...body, stream: true });
    await expect(all(stream)).rejects.toMatchObject(failure);
    const { text } = await call(url, COMPLETIONS, { body: { ...body, stream: true } });
    expect(text).toMatch(/data: \{"error":\{.*"code":"upstream_error"\}\}\n\n$/);
  });
});

it('13.2: a request of 2023 is answered, with parameters that mean nothing here', async () => {
  const { url } = await startServer();
  const body = {
    model: 'panel/panel',
    messages: [{ role: 'user', content: 'Tea or coffee?' }],
    temperature: 0.7,
    top_p: 1,
    n: 1,
    stream: false,
    stop: null,
    max_tokens: 256,
    presence_penalty: 0,
    frequency_penalty: 0,
    logit_bias: {},
    user: 'user-1234',
    functions: [{ name: 'f', parameters: {} }],
  };
  const headers = { authorization: 'Bearer sk-whatever', 'openai-organization': 'org-1' };
  const answered = await call(url, COMPLETIONS, { body, headers });
  expect(answered).toMatchObject({
    status: 200,
    body: { object: 'chat.completion', choices: [{ message: { role: 'assistant' }, finish_reason: 'stop' }] },
  });
  const types = Object.entries((answered.body as { usage: object }).usage).map(([name, value]) => [
    name,
    typeof value,
  ]);
  expect(types).toEqual([
    ['prompt_tokens', 'number'],
    ['completion_tokens', 'number'],
    ['total_tokens', 'number'],
  ]);
});
