import { afterEach, describe, expect, it, vi } from 'vitest';
import type { GenerateRequest } from '../../src/conversation/turn/provider.ts';
import { anthropicProvider } from '../../src/providers/anthropic.ts';
import { geminiProvider } from '../../src/providers/gemini.ts';
import { OPENAI_DIALECTS, openAiProvider } from '../../src/providers/openai.ts';
import { type Create, collect, KEY, mask, PROVIDERS, pair } from '../fixtures/vendors/providers.ts';
import { answer, type Behaviour, close, fault, startVendor, type VendorKind } from '../fixtures/vendors.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('the shape of a request', () => {
  const named = (id: string) => {
    const found = PROVIDERS.find((provider) => provider.id === id);
    if (found === undefined) throw new Error(`no provider ${id}`);
    return found;
  };
  async function sent(id: string, request: Partial<GenerateRequest> = {}) {
    await using both = await pair(named(id), answer('Hello'));
    await collect(both.provider, request);
    return both.vendor.arrived();
  }
  const chat = [
    { role: 'system', content: 'You are Ada.' },
    { role: 'user', content: 'Bob: Hello' },
    { role: 'assistant', content: 'Good day' },
    { role: 'user', content: 'Bob: What now?' },
  ];

  it.each([
    ['chatgpt', { max_completion_tokens: 99, stream_options: { include_usage: true } }],
    ['grok', { max_tokens: 99, stream_options: { include_usage: true } }],
    ['perplexity', { max_tokens: 99 }],
    ['local', { max_tokens: 99, stream_options: { include_usage: true } }],
  ])('%s', async (id, own) => {
    const { path, body } = await sent(id);
    expect(path).toBe('/v1/chat/completions');
    expect(body).toEqual({ model: 'model-1', messages: chat, stream: true, temperature: 0.5, ...own });
  });

  it('claude', async () => {
    const { path, body, headers } = await sent('claude');
    expect(path).toBe('/v1/messages');
    expect(headers['anthropic-version']).toBe('2026-10-21');
    expect(body).toEqual({
      model: 'model-1',
      system: 'You are Ada.',
      messages: chat.slice(1),
      stream: true,
      max_tokens: 99,
    });
  });

  it('gemini', async () => {
    const { path, body } = await sent('gemini');
    expect(path).toBe('/v1beta/models/model-1:streamGenerateContent?alt=sse');
    expect(body).toMatchObject({
      systemInstruction: { parts: [{ text: 'You are Ada.' }] },
      contents: [
        { role: 'user', parts: [{ text: 'Bob: Hello' }] },
        { role: 'model', parts: [{ text: 'Good day' }] },
        { role: 'user', parts: [{ text: 'Bob: What now?' }] },
      ],
      generationConfig: { temperature: 0.5, maxOutputTokens: 99 },
    });
  });

  it.each([
    ['claude-3-5-haiku-20241022', true],
    ['claude-sonnet-4-20250514', true],
    ['claude-opus-4-6', true],
    ['claude-haiku-4-5-20251001', true],
    ['claude-opus-4-7', false],
    ['claude-sonnet-5-5', false],
    ['claude-opus-5-5', false],
  ])('%s has a temperature, at most 1: %s', async (model, has) => {
    const { body, headers } = await sent('claude', { model, temperature: 1.5 });
    expect(Object(body)['temperature']).toBe(has ? 1 : undefined);
    expect(headers['anthropic-version']).toBe(has ? '2023-06-01' : '2026-10-21');
  });

  it.each(['o3', 'o4-mini', 'gpt-5.5', 'gpt-6.1-terra'])('%s gets no temperature', async (model) => {
    expect((await sent('chatgpt', { model })).body).not.toHaveProperty('temperature');
  });

  it('learns that a model refuses a temperature', async () => {
    const refused = {
      message: "Unsupported value: 'temperature' does not support 0.5 with this model.",
      type: 'invalid_request_error',
      param: 'temperature',
      code: 'unsupported_value',
    };
    await using both = await pair(named('local'), ({ body }) =>
      'temperature' in Object(body)
        ? fault({ status: 400, headers: {}, body: { error: refused } })
        : answer('Hello'),
    );
    expect((await collect(both.provider)).text).toBe('Hello');
    expect((await collect(both.provider)).text).toBe('Hello');
    expect(both.vendor.requests.map(({ body }) => 'temperature' in Object(body))).toEqual([
      true,
      false,
      false,
    ]);
  });

  it('learns that a model takes no schema, and only from an answer without one', async () => {
    const form = {
      kind: 'ballot' as const,
      schema: { type: 'object' },
      options: ['tea', 'milk'],
      takesSeveral: false,
      criteria: [],
      scale: [1, 10] as const,
    };
    let isTooLong = true;
    const refused = { message: 'no', type: 'invalid_request_error' };
    await using both = await pair(named('local'), ({ body }) =>
      isTooLong || 'response_format' in Object(body)
        ? fault({ status: 400, headers: {}, body: { error: refused } })
        : answer('tea'),
    );
    const asking = { form };
    await expect(collect(both.provider, asking)).rejects.toMatchObject({ status: 400 });
    isTooLong = false;
    expect((await collect(both.provider, asking)).text).toBe('tea');
    expect((await collect(both.provider, asking)).text).toBe('tea');
    expect(both.vendor.requests.map(({ body }) => 'response_format' in Object(body))).toEqual([
      true,
      false,
      true,
      false,
      false,
    ]);
  });

  it('sends no key when there is none', async () => {
    vi.stubEnv('OPENAI_API_KEY', 'stray-secret');
    await using vendor = await startVendor('openai', answer('Hello'));
    const { baseUrl } = vendor;
    await collect(openAiProvider({ apiKey: undefined, baseUrl, mask, dialect: OPENAI_DIALECTS.local }));
    expect((await vendor.arrived()).headers.authorization).toBeUndefined();
  });
});

// Anthropic's SDK reads its answers to the end by itself.
describe.each(PROVIDERS.filter(({ kind }) => kind === 'openai'))(
  'the rest of an answer of $id',
  (vendorOf) => {
    const long = 'data: {}\n\n'.repeat(40_000);

    it.each([
      ['is a packet of its own', { ...answer('Hello'), chunkBytes: 64 }],
      ['is long', { ...answer('Hello'), more: long }],
    ] as const)('is read when it %s, so that the connection serves the next call', async (_what, script) => {
      await using both = await pair(vendorOf, script);
      const calls = 12;
      for (let call = 0; call < calls; call++) {
        expect((await collect(both.provider)).text).toBe('Hello');
        await both.vendor.answered(call + 1);
      }
      const connections = new Set(both.vendor.requests.map(({ connection }) => connection));
      // A call may come before this side has read the end of the last answer, and then opens another one.
      expect(connections.size).toBeLessThan(calls / 2);
    });

    it('is not waited for without end', async () => {
      await using both = await pair(vendorOf, { ...answer('Hello'), ending: 'hang' } as Behaviour);
      expect((await collect(both.provider)).text).toBe('Hello');
      await (await both.vendor.arrived()).whenAborted;
    });
  },
);

describe.each(PROVIDERS.filter(({ kind }) => kind !== 'gemini'))('the connection of $id', (vendorOf) => {
  it('may have been closed by the vendor, and others with it: the call is made again', async () => {
    const kept = 3;
    const served = new Set<number | undefined>();
    const all = Promise.withResolvers<void>();
    await using both = await pair(vendorOf, async ({ connection }) => {
      if (served.has(connection)) return close;
      served.add(connection);
      // The first are under way at the same time, so that each has a connection of its own.
      if (served.size === kept) all.resolve();
      await all.promise;
      return answer('Hello');
    });
    await Promise.all(Array.from({ length: kept }, () => collect(both.provider)));
    const more = 3;
    let repeated = 0;
    const onRepeated = (): void => void repeated++;
    for (let call = 0; call < more; call++) {
      expect((await collect(both.provider, { onRepeated })).text).toBe('Hello');
    }
    // Once for each, and never one more: the second has a connection of its own.
    expect(repeated).toBeGreaterThan(0);
    expect(both.vendor.requests).toHaveLength(kept + more + repeated);
  });

  it('that is closed before it served anything is a failure, and no call is made again', async () => {
    await using both = await pair(vendorOf, close);
    await expect(collect(both.provider)).rejects.toMatchObject({ code: 'network' });
    expect(both.vendor.requests).toHaveLength(1);
  });

  it('leads nowhere else: a redirect is told, not followed', async () => {
    await using elsewhere = await startVendor(vendorOf.kind, answer('Hello'));
    const location = `${elsewhere.baseUrl}/chat/completions`;
    await using both = await pair(vendorOf, fault({ status: 307, headers: { location }, body: '' }));
    await expect(collect(both.provider)).rejects.toMatchObject({
      code: 'not_found',
      status: 307,
      message: expect.stringContaining(`redirects to ${location} (307)`),
    });
    expect(elsewhere.requests).toEqual([]);
  });
});

describe('shapes that only one vendor has', () => {
  const stream = (...events: unknown[]) =>
    fault({
      status: 200,
      headers: { 'content-type': 'text/event-stream' },
      body: events
        .map((event) => `event: ${Object(event)['type']}\ndata: ${JSON.stringify(event)}\n\n`)
        .join(''),
    });
  const googles = (...events: unknown[]) =>
    fault({
      status: 200,
      headers: {},
      body: events.map((event) => `data: ${JSON.stringify(event)}\r\n\r\n`).join(''),
    });
  const chatgpt = {
    kind: 'openai',
    create: (options) => openAiProvider({ ...options, dialect: OPENAI_DIALECTS.chatgpt }),
  } as const satisfies { kind: VendorKind; create: Create };

  it('an OpenAI answer stopped by the content filter', async () => {
    const script = stream({
      choices: [{ index: 0, delta: { content: 'Hel' }, finish_reason: 'content_filter' }],
    });
    await using both = await pair(chatgpt, script);
    await expect(collect(both.provider)).rejects.toMatchObject({ code: 'content_refused' });
  });

  it('xAI counts thinking only in the total', async () => {
    const script = stream(
      { choices: [{ index: 0, delta: { reasoning_content: 'Hm.' }, finish_reason: null }] },
      { choices: [{ index: 0, delta: { content: 'Hello' }, finish_reason: 'stop' }] },
      { usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 40 } },
    );
    await using both = await pair(chatgpt, script);
    const { text, finish } = await collect(both.provider);
    expect(text).toBe('Hello');
    expect(finish).toMatchObject({ usage: { inputTokens: 10, outputTokens: 30 } });
  });

  it('Perplexity takes a temperature below 2', async () => {
    await using vendor = await startVendor('openai', answer('Hello'));
    const dialect = OPENAI_DIALECTS.perplexity;
    await collect(openAiProvider({ apiKey: KEY, baseUrl: vendor.baseUrl, mask, dialect }), {
      temperature: 2,
    });
    expect((await vendor.arrived()).body).toMatchObject({ temperature: 1.99 });
  });

  it('Anthropic begins a block with text, and thinks apart', async () => {
    const script = stream(
      { type: 'message_start', message: {} },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: 'Hm.' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm?' } },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: 'Hel' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'lo' } },
      { type: 'message_delta', delta: { stop_reason: 'model_context_window_exceeded' } },
    );
    await using both = await pair({ kind: 'anthropic', create: anthropicProvider }, script);
    const { text, finish } = await collect(both.provider);
    expect(text).toBe('Hello');
    expect(finish).toEqual({ type: 'finish', finishReason: 'length', usage: undefined });
  });

  it.each([
    ['a blocked prompt', { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' } }, 'content_refused'],
    ['recitation', { candidates: [{ finishReason: 'RECITATION' }] }, 'content_refused'],
    ['a stop for no known reason', { candidates: [{ finishReason: 'OTHER' }] }, 'malformed'],
  ])('Gemini reports %s', async (_what, event, code) => {
    await using both = await pair({ kind: 'gemini', create: geminiProvider }, googles(event));
    await expect(collect(both.provider)).rejects.toMatchObject({ name: 'ProviderError', code });
  });

  it('Gemini ends its lines with CRLF', async () => {
    const candidates = [{ content: { parts: [{ text: 'Hello' }] }, finishReason: 'STOP' }];
    await using both = await pair({ kind: 'gemini', create: geminiProvider }, googles({ candidates }));
    expect((await collect(both.provider)).text).toBe('Hello');
  });

  const claude = { kind: 'anthropic', create: anthropicProvider } as const;
  const gemini = { kind: 'gemini', create: geminiProvider } as const;
  const hello = { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hello' } };
  const ended = (stop_reason: string) => ({ type: 'message_delta', delta: { stop_reason }, usage: null });

  it('what Anthropic sends without text adds nothing', async () => {
    const shapeless = [
      { type: 'message_start' },
      { type: 'message_start', message: null },
      { type: 'content_block_start', index: 0 },
      { type: 'content_block_start', index: 0, content_block: { type: 'text', text: null } },
      { type: 'content_block_delta', index: 0, delta: null },
      { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 7 } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta' } },
      { type: 'message_delta' },
      { type: 'of_tomorrow', delta: 7 },
    ];
    await using both = await pair(claude, stream(...shapeless, hello, ended('end_turn')));
    const { text, finish } = await collect(both.provider);
    expect(text).toBe('Hello');
    expect(finish).toEqual({ type: 'finish', finishReason: 'stop', usage: undefined });
  });

  it('what Gemini sends without text adds nothing', async () => {
    const shapeless = [
      { candidates: null },
      { candidates: [null] },
      { candidates: [{ content: { parts: 'none' } }] },
      {
        candidates: [{ content: { parts: [null, 7, { text: 7 }] } }],
        usageMetadata: { promptTokenCount: '3' },
      },
    ];
    const said = { candidates: [{ content: { parts: [{ text: 'Hello' }] }, finishReason: 'STOP' }] };
    await using both = await pair(gemini, googles(...shapeless, said));
    const { text, finish } = await collect(both.provider);
    expect(text).toBe('Hello');
    expect(finish).toEqual({ type: 'finish', finishReason: 'stop', usage: undefined });
  });

  it.each(['tool_use', 'pause_turn', 'of_tomorrow'])(
    'Anthropic ends for no good reason: %s',
    async (reason) => {
      await using both = await pair(claude, stream(hello, ended(reason)));
      await expect(collect(both.provider)).rejects.toMatchObject({ code: 'server_error' });
    },
  );

  it.each([
    ['overloaded_error', 'Overloaded', 'overloaded'],
    ['rate_limit_error', 'Number of request tokens has exceeded your rate limit', 'rate_limited'],
    ['invalid_request_error', 'Your credit balance is too low to access the API', 'quota_exhausted'],
    ['invalid_request_error', 'prompt is too long: 210000 tokens > 200000 maximum', 'context_too_long'],
  ])('Anthropic says inside a stream: %s, %s', async (type, message, code) => {
    await using both = await pair(claude, stream(hello, { type: 'error', error: { type, message } }));
    await expect(collect(both.provider)).rejects.toMatchObject({ code });
  });

  it('Anthropic has events without data, and comments as data', async () => {
    const empty = 'event: ping\n\ndata:\n\n: hello\n\ndata: : keepalive\n\n';
    const events = [hello, ended('end_turn')]
      .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
      .join(empty);
    await using both = await pair(claude, fault({ status: 200, headers: {}, body: `${empty}${events}` }));
    expect((await collect(both.provider)).text).toBe('Hello');
  });

  it("a server of Anthropic's form answers with a whole message, or with an error and status 200", async () => {
    const message = {
      type: 'message',
      content: [{ type: 'text', text: 'Hello' }, null],
      stop_reason: 'end_turn',
      usage: { input_tokens: 3, output_tokens: 4 },
    };
    await using both = await pair(claude, fault({ status: 200, headers: {}, body: message }));
    expect(await collect(both.provider)).toMatchObject({
      text: 'Hello',
      finish: { usage: { inputTokens: 3, outputTokens: 4 } },
    });
    const error = { type: 'overloaded_error', message: 'Overloaded' };
    await using refusing = await pair(
      claude,
      fault({ status: 200, headers: {}, body: { type: 'error', error } }),
    );
    await expect(collect(refusing.provider)).rejects.toMatchObject({ code: 'overloaded' });
  });

  /** Answers a call whose body has the word with the refusal, and counts which calls had it. */
  async function learns(
    whom: { kind: VendorKind; create: Create },
    word: string,
    message: string,
    request: Partial<GenerateRequest>,
  ): Promise<boolean[]> {
    const has = (body: unknown) => JSON.stringify(body).includes(word);
    const refusal = {
      status: 400,
      headers: {},
      body: { error: { code: 400, message, status: 'INVALID_ARGUMENT' } },
    };
    await using both = await pair(whom, ({ body }) => (has(body) ? fault(refusal) : answer('Hello')));
    expect((await collect(both.provider, request)).text).toBe('Hello');
    expect((await collect(both.provider, request)).text).toBe('Hello');
    return both.vendor.requests.map(({ body }) => has(body));
  }
  const form = {
    kind: 'ballot' as const,
    schema: { type: 'object' },
    options: ['tea', 'milk'],
    takesSeveral: false,
    criteria: [],
    scale: [1, 10] as const,
  };

  it.each([
    [claude, 'output_config', 'output_config: Extra inputs are not permitted', { form }],
    [
      claude,
      'temperature',
      '`temperature` is deprecated for this model',
      { model: 'claude-3-opus-20240229' },
    ],
    [gemini, 'responseJsonSchema', 'JSON mode is not enabled for models/gemma-3-27b-it', { form }],
    [gemini, 'systemInstruction', 'Developer instruction is not enabled for models/gemma-3-27b-it', {}],
  ] as const)('D: $kind learns that a model refuses %s', async (whom, word, message, request) => {
    expect(await learns(whom, word, message, request)).toEqual([true, false, false]);
  });
});
