import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { injection } from '../../src/guards/injection.ts';
import { invisible } from '../../src/guards/invisible.ts';
import { personalData } from '../../src/guards/personal-data.ts';
import { Redactor } from '../../src/guards/redactor.ts';
import { redacted, type Scanner, type StreamScanner } from '../../src/guards/scanner.ts';
import { secrets } from '../../src/guards/secrets.ts';
import { INJECTIONS } from '../fixtures/guard/injection.ts';
import { INNOCENT } from '../fixtures/guard/innocent.ts';
import { INVISIBLE } from '../fixtures/guard/invisible.ts';
import type { LabelledText } from '../fixtures/guard/labelled.ts';
import { PERSONAL_DATA } from '../fixtures/guard/personal-data.ts';
import { SECRETS } from '../fixtures/guard/secrets.ts';

/** As guards do it: what is harmless at first sight isn't looked at. */
function found(scanner: Scanner, text: string): string[] {
  return scanner.isHarmless(text) ? [] : scanner.scan(text).map(({ kind }) => kind);
}

function whole(scanner: Scanner, text: string): string {
  return redacted(text, scanner.scan(text), (kind) => scanner.mark(kind));
}

function streamed(scanner: StreamScanner, pieces: readonly string[]): string[] {
  const redactor = new Redactor(scanner);
  return [...pieces.map((piece) => redactor.push(piece)), redactor.end()];
}

/** How well a scanner does: what it found and what it ought to have found, counted by kind in each text. */
function measured(scanner: Scanner, texts: readonly LabelledText[], innocent: readonly string[]) {
  const wrong: string[] = [];
  let [right, falseAlarms, missed] = [0, 0, 0];
  for (const [text, ...kinds] of [...texts, ...innocent.map((each): LabelledText => [each])]) {
    // How many hidden characters or orders there are is no matter; how many keys there are is one.
    const all = found(scanner, text);
    const wanted = [...kinds];
    const isCounted = scanner === secrets || scanner === personalData;
    for (const kind of isCounted ? all : new Set(all)) {
      const place = wanted.indexOf(kind);
      if (place >= 0) wanted.splice(place, 1);
      else wrong.push(`${kind} in ${text}`);
      if (place >= 0) right++;
      else falseAlarms++;
    }
    missed += wanted.length;
    if (wanted.length > 0) wrong.push(`no ${wanted.join()} in ${text}`);
  }
  return { precision: right / (right + falseAlarms), recall: right / (right + missed), wrong };
}

const SETS: [StreamScanner, readonly LabelledText[]][] = [
  [secrets, SECRETS],
  [personalData, PERSONAL_DATA],
  [invisible, INVISIBLE],
];

describe('8.6: the labelled texts', () => {
  it('are more than three hundred', () => {
    const labelled = [SECRETS, PERSONAL_DATA, INVISIBLE, INJECTIONS, INNOCENT].flat().length;
    expect(labelled).toBeGreaterThan(300);
  });

  it.each(SETS)('$name: precision of 0.98 at least, recall of 0.95', (scanner, texts) => {
    const { precision, recall, wrong } = measured(scanner, texts, INNOCENT);
    expect({ precision, recall, wrong }).toEqual({
      precision: expect.toSatisfy((value: number) => value >= 0.98),
      recall: expect.toSatisfy((value: number) => value >= 0.95),
      wrong: expect.any(Array),
    });
  });

  it('injection: next to no false alarms; what it misses is no promise', () => {
    const others = [SECRETS, PERSONAL_DATA].flat().map(([text]) => text);
    const { precision, recall, wrong } = measured(injection, INJECTIONS, [...INNOCENT, ...others]);
    console.log(`injection: precision ${precision.toFixed(3)}, recall ${recall.toFixed(3)}`);
    expect({ wrong: precision >= 0.98 ? [] : wrong }).toEqual({ wrong: [] });
  });

  it.each(SETS)('$name: cut at any place, each comes to the same', (scanner, texts) => {
    for (const [text] of texts) {
      const expected = whole(scanner, text);
      const points = Array.from(text);
      for (let at = 1; at < points.length; at++) {
        const pieces = [points.slice(0, at).join(''), points.slice(at).join('')];
        expect(streamed(scanner, pieces).join('')).toBe(expected);
      }
      expect(streamed(scanner, points).join('')).toBe(expected);
    }
  });

  it.each([secrets, personalData])(
    '$name: a secret cut into characters lets no part of it out',
    (scanner) => {
      for (const [text] of scanner === secrets ? SECRETS : PERSONAL_DATA) {
        const out = streamed(scanner, Array.from(text)).join('');
        for (const { from, to } of scanner.scan(text)) {
          const secret = text.slice(from, to);
          expect(out).not.toContain(secret.slice(0, 12));
          expect(out).not.toContain(secret.slice(-12));
        }
      }
    },
  );
});

describe('8.6: hold-back', () => {
  it('plain words are let out as they come, whether or not they are over', () => {
    const pieces = [
      'The ',
      'second 🙂',
      ' turn',
      ' of the',
      ' talk.',
      '\nIt goes on',
      ': one, two',
      ' (three)',
    ];
    for (const scanner of [secrets, invisible]) {
      expect(streamed(scanner, pieces)).toEqual([...pieces, '']);
    }
  });

  it('of what may become a secret no more is held back than that', () => {
    expect(streamed(secrets, ['It is s', 'k-an', 'd not a key', ', sk-ant-', 'x', ' z'])).toEqual([
      'It is ',
      '',
      'sk-and not a key',
      ', ',
      '',
      'sk-ant-x z',
      '',
    ]);
  });

  it('a run without end is let out in the end, and what was a secret in it is not', () => {
    const key = `sk-ant-${'aB3'.repeat(20_000)}`;
    const pieces = `x ${key} y`.match(/.{1,100}/gs) ?? [];
    expect(streamed(secrets, pieces).join('')).toBe('x [REDACTED:anthropic_key] y');
    const run = 'eyJ' + 'a'.repeat(50_000);
    expect(streamed(secrets, run.match(/.{1,100}/gs) ?? []).join('')).toBe(run);
  });
});

describe('8.6: what a text costs', () => {
  it('plain words need one look at each character, and words that a token begins with need more', () => {
    const follower = secrets.follow?.();
    const taken = (pieces: string[]): string[] => pieces.filter((piece) => follower?.takes(piece));
    const plain = [
      'The ',
      'well-known',
      ' Ada,',
      ' born in',
      ' 1815',
      '. "',
      'Yes!" ',
      'ünder',
      'stood; ',
      'so\n',
    ];
    expect(taken(plain)).toEqual(plain);
    const others = [
      's',
      'hvs',
      'sk-',
      'dapi',
      'a Bearer ',
      'x1',
      'API',
      'a_b',
      'a: ',
      '-',
      'a.b',
      'AKIA',
      'key-',
    ];
    expect(others.filter((piece) => secrets.follow?.().takes(piece))).toEqual([]);
  });

  it.each(SETS)(
    '$name: of a run without end a bounded part is held back, whatever it is made of',
    (scanner) => {
      const units = [
        '1 ',
        '00 1 ',
        '+49 1 ',
        '(0',
        'DE89 ',
        '030 12 ',
        'a@',
        'a',
        '\u{e0067}',
        'a.b@c ',
        '-',
        ': ',
      ];
      for (const unit of units) {
        const redactor = new Redactor(scanner);
        const pieces = unit.repeat(400).match(/.{1,7}/gsu) ?? [];
        const passed = pieces.map((piece) => redactor.push(piece).length);
        // An address of 320 characters, and a quarter more until it is looked at again.
        const most = scanner === secrets ? 0 : 410;
        const isFound = redactor.tally.size > 0;
        const held = pieces.join('').length - passed.reduce((sum, length) => sum + length, 0);
        // Of what is found, marks are shorter or longer than what they stand for.
        expect({ unit, isFits: isFound || held <= Math.max(most, 10) }).toEqual({ unit, isFits: true });
      }
    },
  );
});

/** Parts of what scanners look for, and what stands around them. */
const PARTS: Record<string, readonly string[]> = {
  secrets: (
    'sk-ant-|AKIA|eyJ|abcDEF123456789012345|.|-|_|:|=| |\n|://|@|postgres|redis|http|u:p@h|token|api_key|Bearer |"|x|ghp_|' +
    '-----BEGIN PRIVATE KEY-----|-----END PRIVATE KEY-----|MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ\n|' +
    'hooks.slack.com/services/|secret_|key-|0123456789abcdef|\\n|Proc-Type: 4|Authorization: Basic |' +
    'the |word|Ada |Bea|rer |dapi|hvs|dp|SG|s|k|key|pat|open-|. |, |2024 |ü|patabcdefghijklmn.'
  ).split('|'),
  personal_data:
    'a|b.c|@|example|.com|.|-| |+|49|0|30|(|)|1234|5678|20|4111|1111|DE89|3704|0044|0532|0130|00|/|555|ü|\n|,'.split(
      '|',
    ),
  invisible: Array.from(
    '\u200b\u200d\u200c👩❤🏴\u{e0067}\u{e0062}\u{e007f}\ufe0f\u{e0101}م\u202e\u200f\u200e字a 1',
  ),
};

it.each(SETS)('8.6: $name: whatever the pieces, what comes out is what the whole would be', (scanner) => {
  const parts = fc.array(fc.constantFrom(...(PARTS[scanner.name] ?? [])), { maxLength: 25, size: 'max' });
  fc.assert(
    fc.property(parts, fc.array(fc.nat(200), { maxLength: 12 }), (units, cuts) => {
      const text = units.join('');
      const points = Array.from(text);
      const ends = [...cuts.map((cut) => cut % (points.length + 1)), points.length].sort((a, b) => a - b);
      const pieces = ends.map((end, at) => points.slice(ends[at - 1] ?? 0, end).join(''));
      expect(streamed(scanner, pieces).join('')).toBe(whole(scanner, text));
      expect(streamed(scanner, points).join('')).toBe(whole(scanner, text));
    }),
    { numRuns: Number(process.env['GUARD_RUNS'] ?? 2000) },
  );
});
