import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { invisible } from '../../src/guards/invisible.ts';
import { Redactor } from '../../src/guards/redactor.ts';
import { redacted, type StreamScanner } from '../../src/guards/scanner.ts';
import { secrets } from '../../src/guards/secrets.ts';

function whole(scanner: StreamScanner, text: string): string {
  return redacted(text, scanner.scan(text), (kind) => scanner.mark(kind));
}

function streamed(scanner: StreamScanner, pieces: readonly string[]): string[] {
  const redactor = new Redactor(scanner);
  return [...pieces.map((piece) => redactor.push(piece)), redactor.end()];
}

const KEY = 'sk-ant-api03-Zk3bQ9mXw7Rt5Lp2Vn8Cd4Hs6Jf1Gy0Ka';

describe('secrets', () => {
  it.each([
    [`the key is ${KEY}.`, 'the key is [REDACTED:anthropic_key].'],
    ['postgres://u:p@db/x', 'postgres://[REDACTED:connection_string]@db/x'],
    ['redis://:p@h', 'redis://[REDACTED:connection_string]@h'],
  ])('%s', (text, expected) => {
    expect(whole(secrets, text)).toBe(expected);
    expect(streamed(secrets, [...text]).join('')).toBe(expected);
  });
});

describe('invisible', () => {
  it.each([
    ['pass\u200bword', 'password'],
    ['می‌خواهم', 'می‌خواهم'],
    ['👩‍👩‍👧 and ❤️‍🔥 1️⃣', '👩‍👩‍👧 and ❤️‍🔥 1️⃣'],
    ['🏴󠁧󠁢󠁥󠁮󠁧󠁿', '🏴󠁧󠁢󠁥󠁮󠁧󠁿'],
    ['a\u202eb\u202c', 'ab'],
  ])('%s', (text, expected) => {
    expect(whole(invisible, text)).toBe(expected);
    expect(streamed(invisible, [...text]).join('')).toBe(expected);
  });
});

it('plain words are let out as they come', () => {
  expect(streamed(secrets, ['The ', 'second 🙂', ' turn', ' of the', ' talk.'])).toEqual([
    'The ',
    'second 🙂',
    ' turn',
    ' of the',
    ' talk.',
    '',
  ]);
});

describe.each([secrets, invisible])('$name', (scanner) => {
  it('in pieces is what it is as a whole', () => {
    const unit = fc.constantFrom(
      ...'sk-ant-,AKIA,eyJ,abcDEF123456789012345,.,-,_,:,=, ,\n,://,@,postgres,redis,http,u:p@h,token,api_key,Bearer ,"',
      KEY,
      'ghp_',
      'x',
      '-----BEGIN PRIVATE KEY-----',
      '-----END PRIVATE KEY-----',
      'MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n',
      '\u200b',
      '\u200d',
      '\u200c',
      '👩',
      '❤️',
      '🏴',
      '\u{e0067}',
      '\u{e0062}',
      '\u{e007f}',
      'م',
      '\u202e',
      '\u200f',
      '字',
    );
    fc.assert(
      fc.property(
        fc.array(unit, { maxLength: 25 }),
        fc.array(fc.nat(200), { maxLength: 12 }),
        (units, cuts) => {
          const text = units.join('');
          const points = [...text];
          const ends = [...cuts.map((cut) => cut % (points.length + 1)), points.length].sort((a, b) => a - b);
          const pieces = ends.map((end, at) => points.slice(ends[at - 1] ?? 0, end).join(''));
          expect(streamed(scanner, pieces).join('')).toBe(whole(scanner, text));
          expect(streamed(scanner, points).join('')).toBe(whole(scanner, text));
        },
      ),
      { numRuns: 3000 },
    );
  });
});
