import { afterEach, describe, expect, it, vi } from 'vitest';
import { collect, KEY, PIECES, PROVIDERS, pair, REQUEST, TEXT } from '../fixtures/vendors/providers.ts';
import {
  answer,
  type FaultName,
  fault,
  hang,
  refusal,
  reset,
  startVendor,
  unfinished,
} from '../fixtures/vendors.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

describe.each(PROVIDERS)('$id', (vendorOf) => {
  it('streams a whole answer', async () => {
    await using both = await pair(vendorOf, answer(PIECES));
    const { text, finish, parts } = await collect(both.provider);
    expect(text).toBe(TEXT);
    expect(finish).toEqual({
      type: 'finish',
      finishReason: 'stop',
      usage: { inputTokens: 12, outputTokens: 5 },
    });
    expect(parts.filter((part) => part.type === 'text')).toHaveLength(PIECES.length);
    expect(parts.every((part) => part.type === 'finish' || part.text !== '')).toBe(true);
  });

  it.each([1, 2, 3, 7])('puts together what comes %i bytes at a time', async (chunkBytes) => {
    await using both = await pair(vendorOf, answer(TEXT, { chunkBytes }));
    const { text, finish } = await collect(both.provider);
    expect(text).toBe(TEXT);
    expect(finish).toMatchObject({ finishReason: 'stop', usage: { inputTokens: 12, outputTokens: 5 } });
  });

  it('says when the answer ran out of tokens', async () => {
    await using both = await pair(vendorOf, answer('Half a', { finishReason: 'length' }));
    expect((await collect(both.provider)).finish).toMatchObject({ finishReason: 'length' });
  });

  it('does without usage', async () => {
    await using both = await pair(vendorOf, answer('Hello', { usage: undefined }));
    expect((await collect(both.provider)).finish).toEqual({
      type: 'finish',
      finishReason: 'stop',
      usage: undefined,
    });
  });

  it.each([
    ['no text', answer([]), 'empty'],
    ['white space', answer([' ', '\n\n']), 'empty'],
    ['no tokens left for text', answer([], { finishReason: 'length' }), 'empty'],
    ['a refusal', refusal('I would rather not.'), 'content_refused'],
    ['broken JSON', unfinished('Hel', 'broken'), 'malformed'],
    ['a cut in the middle', unfinished('Hel', 'cut'), 'network'],
    ['an end without a finish reason', answer('Hel', { finishReason: 'none' }), 'network'],
    ['a connection reset', reset, 'network'],
    ['a web page', fault({ status: 502, headers: {}, body: '<html>Bad gateway</html>' }), 'server_error'],
    ['no body', fault({ status: 500, headers: {}, body: '' }), 'server_error'],
  ] as const)('fails on %s', async (_what, script, code) => {
    await using both = await pair(vendorOf, script);
    await expect(collect(both.provider)).rejects.toMatchObject({ name: 'ProviderError', code });
  });

  it('fails on an overload that comes after the first words', async () => {
    await using both = await pair(vendorOf, unfinished('Hel', 'overloaded'));
    const code = vendorOf.kind === 'openai' ? 'server_error' : 'overloaded';
    await expect(collect(both.provider)).rejects.toMatchObject({ name: 'ProviderError', code });
  });

  it('fails when nobody listens', async () => {
    const both = await pair(vendorOf, hang);
    await both.vendor.close();
    await expect(collect(both.provider)).rejects.toMatchObject({ name: 'ProviderError', code: 'network' });
  });

  it.each([
    'authentication',
    'not_found',
    'bad_request',
    'quota_exhausted',
    'context_too_long',
    'rate_limited',
    'timeout',
    'server_error',
    'overloaded',
  ] satisfies FaultName[])('knows %s, asks once, and shows no key', async (name) => {
    await using both = await pair(vendorOf, fault(name, { echo: KEY, retryAfterSeconds: 7 }));
    const error = await collect(both.provider).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'ProviderError', code: name, retryAfterMs: 7000 });
    expect(error).toHaveProperty('message', expect.stringContaining('You sent [key]'));
    expect(error).toHaveProperty('status', expect.any(Number));
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(KEY);
    expect(both.vendor.requests).toHaveLength(1);
  });

  it('cuts a long message', async () => {
    await using both = await pair(vendorOf, fault('bad_request', { echo: 'x'.repeat(5000) }));
    const error = await collect(both.provider).catch((reason: unknown) => reason);
    expect(error).toHaveProperty('message', expect.stringMatching(/^.{500}$/));
  });

  it.each([
    ['before the headers', hang],
    ['in the middle', unfinished('Hel', 'hang')],
  ] as const)('lets go of a call that hangs %s when the signal says so', async (_when, script) => {
    await using both = await pair(vendorOf, script);
    const controller = new AbortController();
    const reason = { why: 'enough' };
    const first = Promise.withResolvers<void>();
    const call = (async () => {
      for await (const part of both.provider.generate(REQUEST, controller.signal)) {
        if (part.type === 'thought') continue;
        expect(part).toEqual({ type: 'text', text: 'Hel' });
        first.resolve();
      }
    })();
    const request = await both.vendor.arrived();
    if (script !== hang) await first.promise;
    controller.abort(reason);
    await expect(call).rejects.toBe(reason);
    await request.whenAborted;
    expect(request.aborted).toBe(true);
  });

  it('sends nothing when the signal was aborted before', async () => {
    await using both = await pair(vendorOf, answer('Hello'));
    await expect(collect(both.provider, {}, AbortSignal.abort('early'))).rejects.toBe('early');
    expect(both.vendor.requests).toHaveLength(0);
  });

  it('closes the connection when its reader leaves', async () => {
    await using both = await pair(vendorOf, unfinished('Hel', 'hang'));
    for await (const part of both.provider.generate(REQUEST, new AbortController().signal)) {
      if (part.type === 'text') break;
    }
    await (await both.vendor.arrived()).whenAborted;
    expect(both.vendor.requests).toHaveLength(1);
  });

  it('leaves no listener on the signal', async () => {
    await using both = await pair(vendorOf, answer('Hello'));
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, 'addEventListener');
    const removed = vi.spyOn(signal, 'removeEventListener');
    await collect(both.provider, {}, signal);
    expect(added).toHaveBeenCalledTimes(1);
    expect(removed.mock.calls[0]?.[1]).toBe(added.mock.calls[0]?.[1]);
  });

  it('lets nothing of the environment into its requests', async () => {
    const elsewhere = 'http://127.0.0.1:1/';
    for (const name of ['OPENAI_BASE_URL', 'ANTHROPIC_BASE_URL']) vi.stubEnv(name, elsewhere);
    for (const name of [
      'OPENAI_API_KEY',
      'OPENAI_ADMIN_KEY',
      'OPENAI_ORG_ID',
      'OPENAI_PROJECT_ID',
      'ANTHROPIC_API_KEY',
      'ANTHROPIC_AUTH_TOKEN',
      'ANTHROPIC_PROFILE',
    ]) {
      vi.stubEnv(name, 'stray-secret');
    }
    const stray = 'authorization: Bearer stray-secret\nX-Gateway: stray-secret';
    vi.stubEnv('OPENAI_CUSTOM_HEADERS', stray);
    vi.stubEnv('ANTHROPIC_CUSTOM_HEADERS', stray);
    vi.stubEnv('OPENAI_LOG', 'debug');
    vi.stubEnv('ANTHROPIC_LOG', 'debug');
    const printed = (['debug', 'info', 'warn', 'error', 'log'] as const).map((name) =>
      vi.spyOn(console, name).mockImplementation(() => undefined),
    );
    await using both = await pair(vendorOf, answer('Hello'));
    await collect(both.provider);
    const { headers } = await both.vendor.arrived();
    expect(JSON.stringify(headers)).not.toContain('stray-secret');
    const key = vendorOf.kind === 'gemini' ? headers['x-goog-api-key'] : headers.authorization;
    expect(key).toBe(vendorOf.kind === 'gemini' ? KEY : `Bearer ${KEY}`);
    for (const spy of printed) {
      expect(spy).not.toHaveBeenCalled();
      spy.mockRestore();
    }
  });
});

describe('the vendor that stands in', () => {
  it('really splits its bytes', async () => {
    await using vendor = await startVendor('openai', answer('世界', { chunkBytes: 1 }));
    const { body } = await fetch(`${vendor.baseUrl}/chat/completions`, { method: 'POST', body: '{}' });
    const sizes: number[] = [];
    for await (const bytes of body ?? []) sizes.push(bytes.length);
    expect(sizes.filter((size) => size === 1).length).toBeGreaterThan(sizes.length / 2);
    expect(sizes.length).toBeGreaterThan(300);
  });
});
