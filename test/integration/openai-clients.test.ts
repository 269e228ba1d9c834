import { createRequire } from 'node:module';
import type Newest from 'openai';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { openAiError } from '../../src/protocol/chat-completions.ts';
import { ended } from '../fixtures/conversation-routes.ts';
import { call } from '../fixtures/http.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { seededRandom } from '../fixtures/random.ts';
import { startServer } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { fault, startVendor, unlikeAnswers } from '../fixtures/vendors.ts';

const require = createRequire(import.meta.url);
/** Without its own types, which bring those of Node 18 along. */
const OpenAI = require('openai-2023') as typeof Newest;

const COMPLETIONS = '/v1/chat/completions';
const messages = [{ role: 'user' as const, content: 'Should science be open by default?' }];

/** The client of November 2023, which asks nothing twice unless a test says so. */
const openAi = (url: string, apiKey = 'any', maxRetries = 0) =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries });

async function keepScenario(url: string, maxTurns: number): Promise<void> {
  const agents = ['Ada', 'Ben'].map((name) => ({ provider: 'local', name }));
  const body = { title: 'Own', description: 'For a test.', settings: { agents, maxTurns } };
  const answered = await call(url, '/scenarios/own', { method: 'PUT', body });
  expect([answered.status, answered.text]).toEqual([201, expect.anything()]);
}

describe('13.2: the openai client of 2023', () => {
  it('lists models, and has a conversation whole, as a stream, and by its helper', async () => {
    const { url } = await startServer();
    const client = openAi(url);
    const models = await client.models.list();
    expect(models.data.map(({ id }) => id)).toContain('panel/panel');
    const whole = await client.chat.completions.create({ model: 'panel/panel', messages });
    expect(whole).toMatchObject({
      object: 'chat.completion',
      choices: [{ message: { role: 'assistant' }, finish_reason: 'stop' }],
    });
    expect(whole.choices[0]?.message.content).toMatch(/^\*\*.+\*\*: /);

    const stream = await client.chat.completions.create({ model: 'panel/panel', messages, stream: true });
    const pieces: string[] = [];
    const reasons = new Set<string | null>();
    for await (const { choices } of stream) {
      pieces.push(choices[0]?.delta.content ?? '');
      reasons.add(choices[0]?.finish_reason ?? null);
    }
    expect(pieces.join('')).toMatch(/^\*\*.+\*\*: /);
    expect([...reasons]).toEqual([null, 'stop']);

    const helper = client.beta as unknown as Pick<Newest, 'chat'>;
    const helped = helper.chat.completions.stream({ model: 'panel/debate', messages });
    expect(await helped.finalContent()).toMatch(/\n\n\*\*Verdict\*\*: /);
  });

  it('is told the sum of what all calls took', async () => {
    const usage = { inputTokens: 7, outputTokens: 3 };
    const vendor = await startVendor('openai', unlikeAnswers({ usage }));
    onTestFinished(vendor.close);
    const { url } = await startServer({ LOCAL_BASE_URL: vendor.baseUrl, LOCAL_MODEL: 'm' });
    await keepScenario(url, 5);
    const whole = await openAi(url).chat.completions.create({ model: 'panel/own', messages });
    expect(vendor.requests).toHaveLength(5);
    expect(whole.usage).toEqual({ prompt_tokens: 35, completion_tokens: 15, total_tokens: 50 });
  });

  it('knows errors by their classes, and asks again where that makes sense', async () => {
    let calls = 0;
    const vendor = await startVendor('openai', () => {
      calls++;
      return fault('authentication');
    });
    onTestFinished(vendor.close);
    const mine = keyOf('acme', 'mine');
    const reader = keyOf('acme', 'reader', ['conversations:read']);
    const spent = keyOf('acme', 'spent', ['conversations:write'], { limits: { tokensPerDay: 0 } });
    const { url } = await startServer({
      LOCAL_BASE_URL: vendor.baseUrl,
      LOCAL_MODEL: 'm',
      API_KEYS: listed(mine, reader, spent),
    });
    const settings = { agents: [{ provider: 'local' }, { provider: 'local' }] };
    const body = { title: 'Own', description: 'For a test.', settings };
    await call(url, '/scenarios/own', { method: 'PUT', body, headers: mine.headers });
    const ask = (apiKey: string, model = 'panel/own', given: typeof messages = messages) =>
      openAi(url, apiKey, 2).chat.completions.create({ model, messages: given });
    await expect(ask('wrong')).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(ask(reader.key)).rejects.toBeInstanceOf(OpenAI.PermissionDeniedError);
    await expect(ask(mine.key, 'gpt-4')).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(ask(mine.key, 'panel/own', [])).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    const over = await ask(spent.key).catch((error: unknown) => error);
    expect(over).toBeInstanceOf(OpenAI.RateLimitError);
    expect(over).toMatchObject({ status: 429, code: 'insufficient_quota' });
    const failed = await ask(mine.key).catch((error: unknown) => error);
    expect(failed).toMatchObject({ status: 502, code: 'upstream_error' });
    expect(failed).toBeInstanceOf(OpenAI.InternalServerError);
    // What has cost something is not asked for again unasked.
    expect(calls).toBe(1);
    const asked = openAi(url, mine.key).chat.completions.create({
      model: 'panel/own',
      messages,
      stream: true,
    });
    const hearAll = async (): Promise<void> => {
      for await (const { choices } of await asked) expect(choices).toHaveLength(1);
    };
    await expect(hearAll()).rejects.toThrow(/authentication/);
  });

  it('ends the conversation as it leaves', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const { url } = await startServer(vendor.environment);
    await keepScenario(url, 4);
    const stream = await openAi(url).chat.completions.create({ model: 'panel/own', messages, stream: true });
    const attempt = await vendor.nextCall();
    await attempt.say('Well');
    let text = '';
    for await (const { choices } of stream) {
      text += choices[0]?.delta.content ?? '';
      if (text.endsWith('Well')) break;
    }
    await attempt.abandoned;
    const { items } = await createClient({ baseUrl: url }).listConversations({ limit: 1 });
    const { termination } = await ended(url, items[0]?.id ?? '');
    expect(termination).toEqual({ reason: 'user', detail: 'the connection was closed', by: 'user' });
  });
});

/** Where a body can be wrong, and with what; each is wrong by itself. */
const WRONG: [path: string, values: unknown[]][] = [
  ['model', [null, 7, [], {}, true, '', 'gpt-4', 'panel/', 'panel/none', 'panel/__proto__', '\u0000']],
  ['messages', [null, 7, 'Hello', {}, [], [null], ['Hello'], [[]], [{}]]],
  ['messages.0.role', [null, 7, 'narrator', ['user'], {}]],
  [
    'messages.0.content',
    [7, true, {}, '', ' \n', 'a\u0000b', '\ud83d', [7], [{ type: 'image_url' }], [{}], []],
  ],
  ['messages.0.name', [7, {}, []]],
  ['stream', ['yes', 1, {}]],
  ['stream_options', [7, 'usage', { include_usage: 'yes' }]],
  ['metadata', [7, 'x', { answer: 'all' }, { answer: 7 }, { x: {} }, { x: ['y'] }]],
];
const CASES = WRONG.flatMap(([path, values]) => values.map((value) => ({ path, value })));

function wrongBody({ path, value }: (typeof CASES)[number], random: () => number): Record<string, unknown> {
  const body: Record<string, unknown> = {
    model: 'panel/panel',
    messages: [{ role: 'user', content: 'Tea?' }],
    // What means nothing here, whatever it is.
    ...(random() < 0.5 ? { temperature: 'hot', tools: [{ type: 'function' }], seed: null } : {}),
    ...(random() < 0.5 ? { stream: random() < 0.5 } : {}),
  };
  const steps = path.split('.');
  const last = steps.pop() ?? '';
  const at = steps.reduce((within, step) => (within as Record<string, unknown>)[step], body as unknown);
  (at as Record<string, unknown>)[last] = value;
  return body;
}

it(`13.2: ${CASES.length} bad bodies and 20 that are cut off are answered in OpenAI’s form, and begin nothing`, async () => {
  const { url } = await startServer();
  const random = seededRandom(20_231_106);
  const texts: (string | Buffer)[] = CASES.map((each) => JSON.stringify(wrongBody(each, random)));
  const whole = JSON.stringify({ model: 'panel/panel', messages, metadata: { a: 'b' } });
  for (let n = 0; n < 20; n++) texts.push(whole.slice(0, Math.floor(random() * (whole.length - 1))));
  texts.push(Buffer.from([0x7b, 0xff, 0xfe, 0x7d]), '['.repeat(50_000), 'null', '"x"', '7');
  for (const body of texts) {
    const answered = await call(url, COMPLETIONS, {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json' },
    });
    const shown = body.toString().slice(0, 200);
    expect([shown, answered.status]).toEqual([shown, expect.toBeOneOf([400, 404])]);
    expect([shown, openAiError.parse(answered.body)]).toEqual([shown, answered.body]);
    expect(answered.headers['x-should-retry']).toBe('false');
  }
  const large = { model: 'panel/panel', messages: [{ role: 'user', content: 'x'.repeat(20_000_000) }] };
  const tooLarge = await call(url, COMPLETIONS, { body: large, headers: { connection: 'close' } });
  expect([tooLarge.status, openAiError.parse(tooLarge.body).error.code]).toEqual([413, 'payload_too_large']);
  const plain = await call(url, COMPLETIONS, { body: whole, headers: { 'content-type': 'text/plain' } });
  expect([plain.status >= 400 && plain.status < 500, openAiError.parse(plain.body)]).toEqual([
    true,
    plain.body,
  ]);
  expect((await createClient({ baseUrl: url }).listConversations({})).items).toEqual([]);
});
