import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Collector, type ReceivedSpan, startCollector } from '../fixtures/collector.ts';
import { freePort } from '../fixtures/ports.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { answer, fault, type Script, startVendor } from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const VENDORS = [
  { id: 'claude', name: 'Claude', kind: 'anthropic', variables: ['ANTHROPIC', 'ANTHROPIC', 'CLAUDE'] },
  { id: 'chatgpt', name: 'ChatGPT', kind: 'openai', variables: ['OPENAI', 'OPENAI', 'CHATGPT'] },
  { id: 'gemini', name: 'Gemini', kind: 'gemini', variables: ['GOOGLE', 'GEMINI', 'GEMINI'] },
  { id: 'grok', name: 'Grok', kind: 'openai', variables: ['XAI', 'XAI', 'GROK'] },
  {
    id: 'perplexity',
    name: 'Perplexity',
    kind: 'openai',
    variables: ['PERPLEXITY', 'PERPLEXITY', 'PERPLEXITY'],
  },
] as const;
const PROVIDER_NAMES = ['anthropic', 'openai', 'gcp.gemini', 'x_ai', 'perplexity'];
/** Of no vendor's shape, so that only who knows it can mask it. */
const keyOf = (id: string): string => `${id}+key/0123456789=&x`;
const SAID = 'Wombats are marsupials';
const OPENING = 'Do you know wombats?';

/** Exports at once, so that nobody waits. */
function exporting(collector: Collector): Record<string, string> {
  return {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '50',
    OTEL_METRIC_EXPORT_INTERVAL: '200',
    OTEL_METRIC_EXPORT_TIMEOUT: '200',
  };
}

async function startVendors(script: (id: string) => Script): Promise<Record<string, string>> {
  const environment: Record<string, string> = {};
  for (const { id, kind, variables } of VENDORS) {
    const vendor = await startVendor(kind, script(id));
    onTestFinished(vendor.close);
    const [key, baseUrl, model] = variables;
    environment[`${key}_API_KEY`] = keyOf(id);
    environment[`${baseUrl}_BASE_URL`] = vendor.baseUrl;
    environment[`${model}_MODEL`] = `${id}-model`;
  }
  return environment;
}

function named(spans: readonly ReceivedSpan[], name: string | RegExp): ReceivedSpan[] {
  return spans.filter((span) => (typeof name === 'string' ? span.name === name : name.test(span.name)));
}

function only(spans: readonly ReceivedSpan[]): ReceivedSpan {
  const [span] = spans;
  if (!span || spans.length > 1)
    throw new Error(`${spans.length} spans: ${spans.map(({ name }) => name).join(', ')}`);
  return span;
}

/** A conversation of these goes on when the vendor does. */
const HELD = [{ provider: 'embedded' }, { provider: 'local' }];

/** Answers the next call. */
async function say(vendor: SteppedVendor, text: string): Promise<void> {
  const call = await vendor.nextCall();
  await call.say(text);
  call.finish();
}

const childrenOf = (spans: readonly ReceivedSpan[], parent: ReceivedSpan): ReceivedSpan[] =>
  spans.filter(({ parentId }) => parentId === parent.id);

describe.each([
  { protocol: 'http/protobuf', type: 'application/x-protobuf' },
  { protocol: 'http/json', type: 'application/json' },
])('a conversation of five vendors over $protocol', ({ protocol, type }) => {
  it('is one trace, with names, tokens and failures but no text and no key', async () => {
    const collector = await startCollector();
    let fails = 1;
    const server = await startServer({
      ...(await startVendors((id) => {
        let count = 0;
        return () =>
          id === 'claude' && fails-- > 0 ? fault('overloaded') : answer(`${SAID}, ${id} ${++count}.`);
      })),
      ...exporting(collector),
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_SEMCONV_STABILITY_OPT_IN: 'http,gen_ai_latest_experimental',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      RETRY_TRIES: '3',
      RETRY_FIRST_DELAY_MS: '1',
    });
    const { id } = await startTalk(server.url, {
      openingMessage: OPENING,
      agents: VENDORS.map(({ id: provider }) => ({ provider, temperature: 0.5, maxOutputTokens: 99 })),
      maxTurns: 5,
    });
    expect(await (await watchSocket(server.url, id)).closed).toBe(1000);
    await fetch(`${server.url}/livez`);
    await fetch(`${server.url}/conversations?q=${encodeURIComponent(keyOf('claude'))}`);
    const [created] = await readLog(server.url, id);
    const exported = (metric: string) => collector.histograms().filter(({ name }) => name === metric).length;
    // All of it before the shutdown, which waits for a busy collector no longer than it may.
    await collector.until(
      () =>
        named(collector.spans, 'conversation.end').length > 0 &&
        named(collector.spans, 'POST').length === 6 &&
        named(collector.spans, 'GET /conversations').length > 0 &&
        exported('gen_ai.client.operation.duration') === 6 &&
        exported('gen_ai.client.token.usage') === 10,
    );
    expect(await server.stop()).toBe(0);

    const { spans } = collector;
    expect([...collector.types]).toEqual([type]);
    expect(collector.resource()).toMatchObject({
      'service.name': 'ai-conversation-platform',
      'deployment.environment.name': 'test',
    });
    const root = only(named(spans, 'conversation.start'));
    const ours = spans.filter(({ traceId }) => traceId === root.traceId);
    expect(root.attributes).toMatchObject({ 'gen_ai.conversation.id': id });
    // Under the request that made it.
    const post = only(spans.filter(({ kind, name }) => kind === 'server' && name === 'POST /conversations'));
    expect(post).toMatchObject({ parentId: '', traceId: root.traceId });
    expect(named(spans, /livez/)).toEqual([]);
    expect(only(named(spans, 'GET /conversations')).attributes['url.query']).toBe('q=[masked]');
    expect(created).toMatchObject({ traceparent: `00-${root.traceId}-${root.id}-01` });

    const turns = childrenOf(ours, root).filter(({ name }) => name !== 'conversation.end');
    expect(turns.map(({ name, kind }) => [name, kind])).toEqual(
      VENDORS.map(({ name }) => [`invoke_agent ${name}`, 'internal']),
    );
    for (const [index, turn] of turns.entries()) {
      const vendor = VENDORS[index];
      const about = {
        'gen_ai.provider.name': PROVIDER_NAMES[index],
        'gen_ai.request.model': `${vendor?.id}-model`,
        'gen_ai.conversation.id': id,
      };
      expect(turn.attributes).toMatchObject({
        ...about,
        'gen_ai.operation.name': 'invoke_agent',
        'gen_ai.agent.name': vendor?.name,
        'ai_conversation.turn': index + 1,
      });
      expect(turn.status).toBe('unset');
      const responses = childrenOf(ours, turn);
      expect(responses.map(({ name, status }) => [name, status])).toEqual(
        index === 0
          ? [
              ['generate response', 'error'],
              ['generate response', 'unset'],
            ]
          : [['generate response', 'unset']],
      );
      for (const response of responses) {
        const call = only(childrenOf(ours, response));
        const failed = response.status === 'error';
        expect(call).toMatchObject({
          name: `chat ${vendor?.id}-model`,
          kind: 'client',
          status: failed ? 'error' : 'unset',
          attributes: {
            ...about,
            'gen_ai.operation.name': 'chat',
            'gen_ai.request.temperature': 0.5,
            'gen_ai.request.max_tokens': 99,
            'gen_ai.request.stream': true,
            ...(failed
              ? { 'error.type': 'overloaded' }
              : {
                  'gen_ai.usage.input_tokens': 12,
                  'gen_ai.usage.output_tokens': 5,
                  'gen_ai.response.finish_reasons': ['stop'],
                }),
          },
        });
        expect(only(childrenOf(ours, call))).toMatchObject({
          name: 'POST',
          kind: 'client',
          status: failed ? 'error' : 'unset',
          scope: '@opentelemetry/instrumentation-undici',
          attributes: { 'http.response.status_code': failed ? 529 : 200, 'server.address': '127.0.0.1' },
        });
      }
    }
    expect(turns[0]?.events).toEqual([
      {
        name: 'retry.scheduled',
        attributes: {
          'error.type': 'overloaded',
          'ai_conversation.retry.delay': expect.any(Number) as number,
        },
      },
    ]);
    expect(only(named(ours, 'conversation.end')).attributes).toMatchObject({
      'ai_conversation.reason': 'max_turns',
      'ai_conversation.turns': 5,
    });

    const tokens = collector.histograms().filter(({ name }) => name === 'gen_ai.client.token.usage');
    expect(tokens).toHaveLength(10);
    expect(tokens).toContainEqual({
      name: 'gen_ai.client.token.usage',
      unit: '{token}',
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'x_ai',
        'gen_ai.request.model': 'grok-model',
        'gen_ai.token.type': 'output',
      },
      count: 1,
      sum: 5,
      bounds: [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864],
    });
    const durations = collector
      .histograms()
      .filter(({ name }) => name === 'gen_ai.client.operation.duration');
    expect(durations.map(({ attributes }) => attributes['error.type'])).toContain('overloaded');
    expect(durations[0]).toMatchObject({
      unit: 's',
      bounds: [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92],
    });

    // The lines of a conversation, and of the request that made it, say where they belong.
    const lines = server.log.filter(({ conversation_id }) => conversation_id === id);
    expect(lines.length).toBeGreaterThan(7);
    for (const line of lines.filter(({ event }) => !/stream|request/.test(event))) {
      expect(line).toMatchObject({
        trace_id: root.traceId,
        span_id: expect.stringMatching(/^[\da-f]{16}$/) as string,
      });
    }

    for (const text of [
      SAID,
      OPENING,
      'Wombats',
      ...VENDORS.map((vendor) => keyOf(vendor.id)),
      encodeURIComponent(keyOf('gemini')),
    ]) {
      expect(collector.raw()).not.toContain(text);
    }
  });
});

describe('the trace of a conversation', () => {
  it('goes on after kill -9 and a restart, with a span that says so', async () => {
    const collector = await startCollector();
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const environment = { ...exporting(collector), ...vendor.environment, DATA_DIR: temporaryFolder() };
    const first = await startServer(environment);
    const incoming = '0af7651916cd43dd8448eb211c80319c';
    const response = await fetch(`${first.url}/conversations`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', traceparent: `00-${incoming}-b7ad6b7169203331-01` },
      body: JSON.stringify({ topic: 'Tea', agents: HELD, maxTurns: 5 }),
    });
    const { id } = (await response.json()) as { id: string };
    await say(vendor, 'Tea is a leaf.');
    await collector.until(() => named(collector.spans, /^invoke_agent/).length >= 3);
    // In the middle of its fourth turn.
    await vendor.nextCall();
    await first.stop('SIGKILL');
    const root = only(named(collector.spans, 'conversation.start'));
    expect(root.traceId).toBe(incoming);
    const before = collector.spans.length;

    const second = await startServer(environment);
    const ended = second.logged(({ event }) => event === 'conversation.ended');
    await say(vendor, 'Coffee is a bean.');
    await collector.until(() => named(collector.spans, 'conversation.end').length > 0);
    expect(await ended).toMatchObject({ conversation_id: id, trace_id: incoming, span_id: root.id });
    expect(await second.stop()).toBe(0);
    const later = collector.spans.slice(before);
    expect(only(named(later, 'conversation.resume'))).toMatchObject({ traceId: incoming, parentId: root.id });
    const turns = named(later, /^invoke_agent/);
    expect(turns.length).toBeGreaterThan(1);
    for (const turn of turns) expect(turn).toMatchObject({ traceId: incoming, parentId: root.id });
    // The embedded pair is called within the process.
    expect(only(named(later, /^chat/).filter(({ kind }) => kind === 'internal'))).toMatchObject({
      attributes: { 'gen_ai.system': 'embedded', 'gen_ai.request.model': expect.any(String) as string },
    });
  });

  it('begins where a conversation was made without one', async () => {
    const collector = await startCollector();
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const environment = { ...vendor.environment, DATA_DIR: temporaryFolder() };
    const first = await startServer(environment);
    const { id } = await startTalk(first.url, { agents: HELD, maxTurns: 2 });
    await first.logged(({ event }) => event === 'turn.taken');
    await vendor.nextCall();
    const [created] = await readLog(first.url, id);
    await first.stop('SIGKILL');
    expect(created).not.toHaveProperty('traceparent');

    const second = await startServer({ ...environment, ...exporting(collector) });
    await say(vendor, 'Coffee is a bean.');
    await collector.until(() => named(collector.spans, 'conversation.end').length > 0);
    await second.stop();
    const talk = collector.spans.filter(({ attributes }) => attributes['gen_ai.conversation.id'] === id);
    expect(new Set(talk.map(({ traceId }) => traceId)).size).toBe(1);
  });

  it('has the names of version 1.36, and none of the later ones, unless they are asked for', async () => {
    const collector = await startCollector();
    const server = await startServer({
      ...(await startVendors(() => answer(SAID))),
      ...exporting(collector),
    });
    await startTalk(server.url, { agents: [{ provider: 'grok' }, { provider: 'gemini' }], maxTurns: 2 });
    await collector.until(() => named(collector.spans, 'conversation.end').length > 0);
    const systems = named(collector.spans, /^chat/).map(({ attributes }) => attributes['gen_ai.system']);
    expect(systems).toEqual(['xai', 'gcp.gemini']);
    for (const later of ['gen_ai.provider.name', 'gen_ai.request.stream', 'time_to_first_chunk', SAID]) {
      expect(collector.raw()).not.toContain(later);
    }
  });

  it('is that of the `.env` file, too', async () => {
    const collector = await startCollector();
    const folder = temporaryFolder();
    const lines = Object.entries({ ...exporting(collector), OTEL_SERVICE_NAME: 'talks' });
    writeFileSync(join(folder, '.env'), lines.map(([name, value]) => `${name}=${value}\n`).join(''));
    const server = await startServer({ DATA_DIR: folder });
    await startTalk(server.url, { maxTurns: 1 });
    await collector.until(() => named(collector.spans, 'conversation.end').length > 0);
    expect(collector.resource()).toMatchObject({ 'service.name': 'talks' });
  });
});

describe('texts that somebody opted in to', () => {
  const key = keyOf('chatgpt');
  const talk = {
    openingMessage: `${OPENING} My key is ${key}.`,
    agents: [{ provider: 'chatgpt' }, { provider: 'claude' }],
    maxTurns: 1,
  };

  /** The span of the one call, which was asked for texts. */
  async function callWithTexts(optIn: string): Promise<ReceivedSpan> {
    const collector = await startCollector();
    const server = await startServer({
      ...(await startVendors(() => answer(`${SAID}, "${key}".`))),
      ...exporting(collector),
      OTEL_SEMCONV_STABILITY_OPT_IN: optIn,
      OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: 'true',
    });
    await startTalk(server.url, talk);
    await collector.until(() => named(collector.spans, 'conversation.end').length > 0);
    expect(collector.raw()).not.toContain(key);
    return only(named(collector.spans, /^chat/));
  }

  it('come without keys, as events in version 1.36', async () => {
    const { events } = await callWithTexts('');
    expect(events.map(({ name }) => name)).toEqual([
      'gen_ai.system.message',
      'gen_ai.user.message',
      'gen_ai.choice',
    ]);
    expect(events[1]?.attributes['content']).toContain(`${OPENING} My key is [masked].`);
    expect(events[2]?.attributes['content']).toBe(`${SAID}, "[masked]".`);
  });

  it('come without keys, as attributes in the latest', async () => {
    const { events, attributes } = await callWithTexts('gen_ai_latest_experimental');
    const read = (name: string): unknown => JSON.parse(String(attributes[name]));
    const parts = [{ type: 'text', content: `${SAID}, "[masked]".` }];
    expect(read('gen_ai.output.messages')).toEqual([{ role: 'assistant', parts, finish_reason: 'stop' }]);
    expect(JSON.stringify(read('gen_ai.input.messages'))).toContain('My key is [masked].');
    expect(read('gen_ai.system_instructions')).toHaveLength(1);
    expect(events).toEqual([]);
  });
});

describe('a collector that is dead changes nothing', () => {
  it.each(['nobody listens', 'it hangs'])('when %s', async (how) => {
    const port = await freePort();
    if (how === 'it hangs') {
      const sink = createServer(() => {}).listen(port, '127.0.0.1');
      await once(sink, 'listening');
      onTestFinished(() => void sink.close());
    }
    const server = await startServer({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_BSP_SCHEDULE_DELAY: '10',
      OTEL_BSP_MAX_QUEUE_SIZE: '50',
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '10',
      OTEL_METRIC_EXPORT_INTERVAL: '50',
      OTEL_METRIC_EXPORT_TIMEOUT: '50',
    });
    const { id } = await startTalk(server.url, { maxTurns: 40 });
    expect(await (await watchSocket(server.url, id)).closed).toBe(1000);
    const log = await readLog(server.url, id);
    expect(log.at(-1)).toMatchObject({ type: 'conversation.terminated', reason: 'max_turns' });
    await server.logged(({ event }) => event === 'tracing.failed');
    // It ends by itself, not by the bound of 4 s, whose outcome would say so.
    expect(await server.stop()).toBe(0);
    expect(server.log.filter(({ event }) => event === 'tracing.failed')).toHaveLength(1);
    expect(server.log.at(-1)).toMatchObject({ event: 'server.stopped', outcome: 'all quiet' });
    expect(server.errors()).toBe('');
  });
});

describe('OpenTelemetry is loaded', () => {
  /**
   * The modules of OpenTelemetry that a server's process has opened, as its own loader tells; but not its API,
   * a few types and functions that do nothing, which prom-client and Anthropic's SDK bring along.
   */
  async function loaded(environment: Record<string, string>): Promise<string> {
    const hooks = join(temporaryFolder(), 'hooks.mjs');
    writeFileSync(
      hooks,
      `import { registerHooks } from 'node:module';
       import { writeSync } from 'node:fs';
       registerHooks({ load(url, context, next) {
         if (/@opentelemetry.(?!api.dist)|observability.tracing/.test(url)) writeSync(2, url + '\\n');
         return next(url, context);
       } });`,
    );
    const server = await startServer({ ...environment, NODE_OPTIONS: `--import ${hooks}` });
    const { id } = await startTalk(server.url, { maxTurns: 1 });
    await watchSocket(server.url, id).then(({ closed }) => closed);
    await server.stop();
    return server.errors();
  }

  it('not at all without an endpoint, nor when the SDK is switched off', async () => {
    expect(await loaded({})).toBe('');
    const off = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_SDK_DISABLED: 'TRUE' };
    expect(await loaded(off)).toBe('');
  });

  it('with one', async () => {
    const collector = await startCollector();
    expect(await loaded(exporting(collector))).toContain('@opentelemetry/sdk-node');
  });
});
