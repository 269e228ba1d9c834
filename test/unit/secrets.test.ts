import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMasker, Secret } from '../../src/security/secrets.ts';
import { SECRETS } from '../fixtures/guard/secrets.ts';

const VALUE = 'very/Secret+value=="quoted\\"';
const secret = new Secret(VALUE);
const mask = createMasker([
  secret,
  new Secret('sk-ant-1'),
  new Secret('sk-ant-1-and-more'),
  new Secret('abc'),
]);

describe('a secret', () => {
  it('is told to who asks by name', () => {
    expect(secret.reveal()).toBe(VALUE);
  });

  it.each<[string, () => string]>([
    ['a template', () => `key: ${secret as unknown as string}`],
    ['a sum of texts', () => 'key: ' + String(secret)],
    ['JSON', () => JSON.stringify({ secret, deep: [{ secret }] })],
    ['inspect', () => inspect({ secret, deep: { a: { b: { c: secret } } } }, { depth: 9, showHidden: true })],
    ['inspect without customs', () => inspect(secret, { customInspect: false, showHidden: true })],
    ['an error', () => inspect(new Error(`it was ${String(secret)}`, { cause: { secret } }))],
    ['its keys', () => Object.entries({ ...secret }).join()],
    ['a copy', () => inspect(Object.assign({}, secret))],
  ])('is not in %s', (_, print) => {
    expect(print()).not.toContain('very');
  });
});

describe('masking', () => {
  it.each<[string, string]>([
    ['as it is', VALUE],
    ['in other case', VALUE.toUpperCase()],
    ['in a URL', encodeURIComponent(VALUE)],
    ['in a URL in lower case', encodeURIComponent(VALUE).toLowerCase()],
    ['in JSON', JSON.stringify({ key: VALUE })],
    ['in JSON within JSON', JSON.stringify({ error: JSON.stringify({ key: VALUE }) })],
    ['twice', `${VALUE} and ${VALUE}`],
    ['in base64', Buffer.from(VALUE).toString('base64')],
    ['in base64url', Buffer.from(VALUE).toString('base64url')],
    ['within base64', Buffer.from(`user:${VALUE}`).toString('base64')],
    ['within base64, one further', Buffer.from(`user::${VALUE}`).toString('base64')],
    ['within base64, two further', Buffer.from(`user:::${VALUE} and more`).toString('base64')],
  ])('takes out a known value %s', (_, text) => {
    expect(mask(text).toLowerCase()).not.toMatch(/very|value|quoted/);
    expect(mask(text)).toContain('[masked]');
    const decoded = Buffer.from(mask(text).replace('[masked]', ''), 'base64').toString();
    expect(decoded).not.toMatch(/very|value|quoted/);
  });

  it('takes out whatever guards know as a key, and passwords in addresses', () => {
    const texts = SECRETS.filter(([, kind]) => kind !== 'named_secret' && kind !== 'webhook_url');
    for (const [text] of texts)
      expect([text, mask(text)]).toEqual([text, expect.stringContaining('[masked]')]);
    expect(mask('postgres://app:hunter2@db/x')).toBe('postgres://app:[masked]@db/x');
  });

  const KEY = `aic_${'Ab3_-xYz'.repeat(5)}Q9z`;

  it.each<[string, string]>([
    ['as it is', KEY],
    ['in a URL', `/conversations?x=${KEY}&after=1`],
    ['escaped for a URL', KEY.replace('_', '%5F')],
    ['as a subprotocol', `aic.v1, bearer.${KEY}`],
    ['for Basic', `authorization: Basic ${Buffer.from(`aic:${KEY}`).toString('base64')}`],
    ...[0, 1, 2].flatMap((before): [string, string][] => {
      const text = Buffer.from(`${'.'.repeat(before)}${KEY}!`);
      return [
        [`in base64 behind ${before} bytes`, text.toString('base64')],
        [`in base64url behind ${before} bytes`, text.toString('base64url')],
      ];
    }),
  ])('takes out a key of this server %s', (_, text) => {
    const masked = createMasker([])(text);
    expect(masked).toContain('[masked]');
    expect(masked).not.toContain('Ab3');
    expect(masked.length).toBeLessThan(text.length - 30);
  });

  it('takes out a ticket', () => {
    expect(createMasker([])('/conversations/x/events?ticket=abcdefghijk&after=1')).toBe(
      '/conversations/x/events?ticket=[masked]&after=1',
    );
  });

  it('takes out a known value in base64, wherever it begins there, in both alphabets', () => {
    const value = 'pass>>word??with///signs';
    const maskIt = createMasker([new Secret(value)]);
    for (const before of [0, 1, 2, 3]) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const text = Buffer.from(`${'x'.repeat(before)}${value}x`).toString(encoding);
        for (const form of [text, encodeURIComponent(text)]) {
          expect([before, form, maskIt(form).length]).toEqual([before, form, expect.any(Number)]);
          expect(maskIt(form)).toMatch(/^.{0,8}\[masked\].{0,8}$/);
        }
      }
    }
  });

  it('takes out a known value of more than one line, also where its line feeds are escaped', () => {
    const value = 'first-half\nsecond-half';
    const maskLines = createMasker([new Secret(value)]);
    for (const text of [value, JSON.stringify({ value }), JSON.stringify(JSON.stringify({ value }))]) {
      expect(maskLines(text)).not.toMatch(/half/);
    }
  });

  it('takes out the longer of two values that begin alike', () => {
    expect(mask('it is sk-ant-1-and-more.')).toBe('it is [masked].');
  });

  it('leaves a value alone that is too short to be one', () => {
    expect(mask('abcdef')).toBe('abcdef');
    expect(createMasker([])('plain text')).toBe('plain text');
  });

  it.each([
    'sk-proj-ABCdef_123456',
    'sk-ant-api03-ABC_def-123456',
    'xai-ABCdef123456',
    'pplx-ABCdef123456',
    'AIzaSyABC_def-123456',
    'Bearer ABCdef.123456',
    'bearer.ABCdef.123456',
    'Authorization: Bearer ABCdef123456',
    '"authorization":"Bearer ABCdef123456"',
    'x-api-key: ABCdef123456',
    '"x-api-key": "ABCdef123456"',
    "'x-goog-api-key': 'ABCdef123456'",
    'api-key=ABCdef123456',
    'https://example.org/v1?key=ABCdef123456&x=1',
    'https://example.org/v1?x=1&key=ABCdef123456',
    JSON.stringify({ error: '{"x-api-key":"ABCdef123456"}' }),
    JSON.stringify({ error: JSON.stringify({ inner: '{"x-goog-api-key": "ABCdef123456"}' }) }),
    JSON.stringify({ error: JSON.stringify({ authorization: 'Bearer ABCdef123456' }) }),
  ])('takes out what looks like a key: %s', (text) => {
    expect(mask(text)).toContain('[masked]');
    expect(mask(text)).not.toMatch(/ABC|def|123456/);
  });

  it.each([
    'the risk-averse bearer of news',
    'a task-force of asks',
    'authorization is needed',
    'monkey=banana, and the key is lost',
    '{"event":"turn.taken","conversation_id":"01900000-0000-7000-8000-000000000000"}',
  ])('leaves plain words alone: %s', (text) => {
    expect(mask(text)).toBe(text);
  });

  it('leaves JSON readable', () => {
    const line = JSON.stringify({ a: VALUE, b: `Bearer ${'x'.repeat(20)}`, c: ['sk-abcdefghijkl', 'kept'] });
    expect(JSON.parse(mask(line))).toEqual({ a: '[masked]', b: 'Bearer [masked]', c: ['[masked]', 'kept'] });
  });

  it('leaves no value that it knows, wherever it stands', () => {
    const value = fc
      .string({ unit: 'grapheme-ascii', minLength: 4, maxLength: 20 })
      .filter((text) => !/[\s[\]]/.test(text));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 4 }), fc.nat(), (values, pick) => {
        const chosen = values[pick % values.length] ?? '';
        const mask = createMasker(values.map((each) => new Secret(each)));
        const nested = JSON.stringify(JSON.stringify(chosen));
        const masked = mask(`${chosen} ${encodeURIComponent(chosen)} ${nested}`).replaceAll('[masked]', ' ');
        expect(masked).not.toContain(chosen);
        expect(masked).not.toContain(nested.slice(3, -3));
      }),
    );
  });
});
