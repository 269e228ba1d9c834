import { APIError as AnthropicError } from '@anthropic-ai/sdk';
import { GoogleGenerativeAIError, GoogleGenerativeAIFetchError } from '@google/generative-ai';
import { APIConnectionError, APIConnectionTimeoutError, APIError as OpenAiError } from 'openai';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ProviderError, type ProviderFailure } from '../../src/conversation/turn/provider.ts';
import { classify } from '../../src/providers/classify.ts';

const plain = (text: string) => text;
const failure = (thrown: unknown) => classify(thrown, plain).code;

/** As the SDKs make them of a status and a parsed body. */
function http(status: number, body: object, headers: Record<string, string> = {}) {
  const wrapped = 'error' in body ? body : { error: body };
  return OpenAiError.generate(status, wrapped, undefined, new Headers(headers));
}
function anthropic(status: number, error: object) {
  return AnthropicError.generate(status, { type: 'error', error }, undefined, new Headers());
}

describe('answers that only their text or an odd word tells apart', () => {
  it.each<[string, unknown, ProviderFailure]>([
    [
      'xAI refuses a key with 400',
      http(400, {
        code: 'Client specified an invalid argument',
        error: 'Incorrect API key provided: xa***ab.',
      }),
      'authentication',
    ],
    [
      'xAI is out of credits with 429',
      http(429, {
        code: 'x',
        error: 'Your team has either used all available credits or reached its limit.',
      }),
      'quota_exhausted',
    ],
    [
      'xAI never had credits with 403',
      http(403, { code: 'x', error: "Your newly created team doesn't have any credits yet." }),
      'quota_exhausted',
    ],
    [
      'xAI has a shorter prompt',
      http(400, { code: 'x', error: "This model's maximum prompt length is 131072 tokens." }),
      'context_too_long',
    ],
    [
      'Perplexity is out of credits with 401',
      http(401, {
        error: { message: 'You exceeded your current quota.', type: 'insufficient_quota', code: 401 },
      }),
      'quota_exhausted',
    ],
    [
      'Perplexity has no such model with 400',
      http(400, { error: { message: "Invalid model 'x'.", type: 'invalid_model', code: 400 } }),
      'not_found',
    ],
    [
      'OpenAI has no such model with 400',
      http(400, { error: { message: 'No.', type: 'invalid_request_error', code: 'model_not_found' } }),
      'not_found',
    ],
    [
      'Azure filters the prompt',
      http(400, { error: { message: 'Filtered.', type: null, code: 'content_filter' } }),
      'content_refused',
    ],
    [
      'Ollama has no such model',
      http(404, { error: { message: "model 'x' not found", type: 'api_error', code: null } }),
      'not_found',
    ],
    [
      'vLLM has a shorter context',
      http(400, {
        object: 'error',
        message: "This model's maximum context length is 4096 tokens.",
        code: 400,
      }),
      'context_too_long',
    ],
    [
      'llama.cpp has a shorter context',
      http(400, { error: { code: 400, message: 'Too big.', type: 'exceed_context_size_error' } }),
      'context_too_long',
    ],
    [
      'Anthropic reports a spend limit with 429',
      anthropic(429, {
        type: 'rate_limit_error',
        message: 'Limit.',
        details: { error_code: 'contract_spend_limit_reached' },
      }),
      'quota_exhausted',
    ],
    ['Anthropic cannot bill', anthropic(402, { type: 'billing_error', message: 'Pay.' }), 'quota_exhausted'],
    [
      'Gemini has no free tier for the model',
      new GoogleGenerativeAIFetchError('Error fetching from https://x: [429 Too Many] Quota, limit: 0', 429),
      'quota_exhausted',
    ],
    ['an overload inside a stream', { error: { code: 503, message: 'Overloaded.' } }, 'overloaded'],
    [
      'a rate inside a stream',
      new OpenAiError(
        undefined,
        { message: 'Slow down.', type: 'requests', code: 'rate_limit_exceeded' },
        '',
        undefined,
      ),
      'rate_limited',
    ],
    ['a failure of no kind inside a stream', { error: 'the runner crashed' }, 'server_error'],
    ['too large', http(413, { error: { message: 'Request too large.' } }), 'context_too_long'],
    ['a gateway', http(504, { error: { message: 'Gateway.' } }), 'server_error'],
    ['a teapot', http(418, { error: { message: 'Short and stout.' } }), 'bad_request'],
  ])('%s', (_what, thrown, code) => {
    expect(failure(thrown)).toBe(code);
  });

  it('takes a text about context for one only where the status allows it', () => {
    expect(failure(http(429, { error: { message: 'Rate limit for long context length' } }))).toBe(
      'rate_limited',
    );
  });
});

describe('failures without an answer', () => {
  const caused = (code: string) =>
    new APIConnectionError({ cause: Object.assign(new Error('low level'), { code }) });

  it.each<[string, unknown, ProviderFailure]>([
    ['refused', caused('ECONNREFUSED'), 'network'],
    ['reset', new TypeError('terminated', { cause: caused('ECONNRESET') }), 'network'],
    ['unknown host', caused('ENOTFOUND'), 'network'],
    ['closed by the other side', new TypeError('terminated', { cause: caused('UND_ERR_SOCKET') }), 'network'],
    ['no reason given', new APIConnectionError({}), 'network'],
    [
      'Gemini has none',
      new GoogleGenerativeAIError('Error fetching from https://x: fetch failed'),
      'network',
    ],
    ['Gemini loses it', new GoogleGenerativeAIError('Error reading from the stream'), 'network'],
    ['the SDK gave up', new APIConnectionTimeoutError(), 'timeout'],
    ['no headers in time', caused('UND_ERR_HEADERS_TIMEOUT'), 'timeout'],
    ['no bytes in time', new TypeError('terminated', { cause: caused('UND_ERR_BODY_TIMEOUT') }), 'timeout'],
    ['JSON that speaks of a timeout', new SyntaxError('Unexpected token in "timed out"'), 'malformed'],
    ['Gemini cannot parse', new GoogleGenerativeAIError('Error parsing JSON response: "{"'), 'malformed'],
    ['an unexpected shape', new TypeError("Cannot read properties of null (reading 'choices')"), 'malformed'],
    ['a plain error', new Error('what?'), 'malformed'],
    ['nothing at all', undefined, 'malformed'],
  ])('%s', (_what, thrown, code) => {
    expect(failure(thrown)).toBe(code);
  });
});

describe('the wait that a vendor asks for', () => {
  afterEach(() => {
    vi.useRealTimers();
  });
  const wait = (headers: Record<string, string>) =>
    classify(http(429, { error: { message: 'Slow down.' } }, headers), plain).retryAfterMs;

  it('comes in seconds, milliseconds, or as a date', () => {
    vi.useFakeTimers({ now: Date.parse('2026-11-20T10:00:00Z') });
    expect(wait({ 'retry-after': '7' })).toBe(7000);
    expect(wait({ 'retry-after': '7', 'retry-after-ms': '6500.4' })).toBe(6500);
    expect(wait({ 'retry-after': 'Fri, 20 Nov 2026 10:01:00 GMT' })).toBe(60_000);
    expect(wait({ 'retry-after': 'Fri, 20 Nov 2026 09:00:00 GMT' })).toBe(0);
    expect(wait({ 'retry-after': 'soon' })).toBeUndefined();
    expect(wait({})).toBeUndefined();
  });

  it("lasts until the last of OpenAI's used up limits is reset", () => {
    const limits = (requests: string, tokens: string, remaining: [string, string] | [] = []) =>
      wait({
        'x-ratelimit-reset-requests': requests,
        'x-ratelimit-reset-tokens': tokens,
        ...(remaining[0] && { 'x-ratelimit-remaining-requests': remaining[0] }),
        ...(remaining[1] && { 'x-ratelimit-remaining-tokens': remaining[1] }),
      });
    expect(limits('1s', '20ms')).toBe(1000);
    expect(limits('6m0s', '1h2m3.5s')).toBe(3_723_500);
    expect(limits('6m0s', '1s', ['12', '0'])).toBe(1000);
    expect(limits('6m0s', '1s', ['12', '7'])).toBeUndefined();
    expect(limits('6m0s', 'soon')).toBe(360_000);
    expect(limits('1', '')).toBeUndefined();
    expect(limits('1x', '-1s')).toBeUndefined();
  });

  it("lasts until the last of Anthropic's used up limits is reset", () => {
    vi.useFakeTimers({ now: Date.parse('2026-11-20T10:00:00Z') });
    const limits = {
      'anthropic-ratelimit-requests-remaining': '0',
      'anthropic-ratelimit-requests-reset': '2026-11-20T10:00:01Z',
      'anthropic-ratelimit-input-tokens-remaining': '0',
      'anthropic-ratelimit-input-tokens-reset': '2026-11-20T10:00:02.5Z',
      'anthropic-ratelimit-output-tokens-remaining': '1000',
      'anthropic-ratelimit-output-tokens-reset': '2026-11-20T10:05:00Z',
    };
    expect(wait(limits)).toBe(2500);
    expect(wait({ ...limits, 'anthropic-ratelimit-tokens-reset': '2026-11-20T10:01:00Z' })).toBe(60_000);
    expect(wait({ 'anthropic-ratelimit-tokens-reset': '2026-11-20T09:00:00Z' })).toBe(0);
  });

  it('is what Retry-After says, whatever the limits say', () => {
    expect(wait({ 'retry-after': '7', 'x-ratelimit-reset-requests': '1m0s' })).toBe(7000);
  });

  it('is not read from limits where they are not the reason', () => {
    const thrown = http(500, { error: { message: 'No.' } }, { 'x-ratelimit-reset-requests': '1s' });
    expect(classify(thrown, plain).retryAfterMs).toBeUndefined();
  });

  it("comes in Google's RetryInfo", () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '37.5s' }];
    const thrown = new GoogleGenerativeAIFetchError('Slow down.', 429, 'Too Many Requests', details);
    expect(classify(thrown, plain).retryAfterMs).toBe(37_500);
  });
});

describe('the message', () => {
  it("is the vendor's own, without what the SDK put around it", () => {
    const details = [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' }];
    const google = new GoogleGenerativeAIFetchError(
      `Error fetching from https://x/v1beta/models/m: [400 Bad Request] Not valid. ${JSON.stringify(details)}`,
      400,
      'Bad Request',
      details,
    );
    expect(classify(google, plain).message).toBe('Not valid.');
    expect(classify(http(400, { error: 'Plain words.' }), plain).message).toBe('Plain words.');
    expect(classify(anthropic(529, { type: 'overloaded_error', message: 'Overloaded' }), plain).message).toBe(
      'Overloaded',
    );
  });

  it('names the root of a connection that failed', () => {
    const refused = new APIConnectionError({ cause: new Error('connect ECONNREFUSED 127.0.0.1:1') });
    expect(classify(refused, plain).message).toBe('Connection error. (connect ECONNREFUSED 127.0.0.1:1)');
  });

  it('is masked before it is cut', () => {
    const thrown = new ProviderError('content_refused', `${'x'.repeat(495)}secret-key`);
    const { message, code, cause } = classify(thrown, (text) => text.replaceAll('secret-key', '[key]'));
    expect(message).toBe(`${'x'.repeat(495)}[key]`);
    expect(code).toBe('content_refused');
    expect(cause).toBeUndefined();
  });

  it('is never empty, and never a web page', () => {
    expect(classify(OpenAiError.generate(500, undefined, undefined, new Headers()), plain).message).toBe(
      'The vendor answered 500',
    );
    expect(classify(http(502, { error: '<html>' }), plain).message).not.toContain('<');
    expect(classify(undefined, plain).message).not.toBe('');
  });
});
