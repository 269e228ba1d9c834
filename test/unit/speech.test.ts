import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSpeech } from '../../src/conversation/stages/speech.ts';

/** What is heard of an answer that comes in these pieces, and who was spoken for. */
function heard(pieces: readonly string[], others: readonly string[] = ['Ben', 'C. D.', 'Human']) {
  const speech = createSpeech('Ada', others);
  let text = '';
  let cutAt: string | undefined;
  for (const said of [...pieces.map((piece) => () => speech.push(piece)), () => speech.end()]) {
    const { text: more, cutAt: who } = said();
    text += more;
    cutAt ??= who;
  }
  return cutAt === undefined ? text : [text, cutAt];
}

const CASES: [raw: string, right: string | [string, string]][] = [
  ['Plain words.', 'Plain words.'],
  ['  A beginning of its own.\n', '  A beginning of its own.\n'],
  ['<think>\nNot this.\n</think>\n\nThe answer.', 'The answer.'],
  ['<thought>a</thought><think>b</think> The answer.', 'The answer.'],
  ['<think>never ends', ''],
  ['<thi', '<thi'],
  ['Ada: I agree.', 'I agree.'],
  ['**Ada:** I agree.', 'I agree.'],
  ['<think>x</think>\nAda: I agree.', 'I agree.'],
  ['Ada, they say: no.', 'Ada, they say: no.'],
  ['I agree.\n\nBen: So do I.\nAda: Good.', ['I agree.', 'Ben']],
  ['I agree.\n**C. D.:** So do I.', ['I agree.', 'C. D.']],
  ['I agree.\nHuman: Next?', ['I agree.', 'Human']],
  ['I agree.\nCxD.: a list', 'I agree.\nCxD.: a list'],
  ['I agree.\nBenefits: many.\nBen, you?', 'I agree.\nBenefits: many.\nBen, you?'],
  ['a < b and\nBe', 'a < b and\nBe'],
  [
    '<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>',
    'Yes.',
  ],
];

describe('what an agent says', () => {
  it.each(CASES)('B, M: of %j is heard %j', (raw, right) => {
    expect(heard([raw])).toEqual(right);
  });

  it('B, M: is the same however it is cut into pieces', () => {
    const cut = fc.tuple(fc.constantFrom(...CASES), fc.array(fc.nat({ max: 120 }), { maxLength: 12 }));
    fc.assert(
      fc.property(cut, ([[raw, right], places]) => {
        const at = [0, ...places.filter((place) => place < raw.length).sort((a, b) => a - b), raw.length];
        const pieces = at.slice(1).map((end, index) => raw.slice(at[index], end));
        expect(heard(pieces)).toEqual(right);
      }),
      { numRuns: 3000 },
    );
  });

  it('B: a lone closing tag takes with it what was not yet shown', () => {
    expect(heard(['I think so.</think>\n\nThe answer.'])).toBe('The answer.');
    expect(heard(['I think so.', '</think>\n\nThe answer.'])).toBe('I think so.The answer.');
  });

  it.each([
    ['at the beginning', ''],
    ['behind words', 'x'],
  ])('holds a bounded number of blank lines back, %s', (_where, words) => {
    const blank = '\n'.repeat(10_000);
    const speech = createSpeech('Ada', ['Ben']);
    speech.push(words);
    expect(speech.push(blank).text.length).toBeGreaterThan(9000);
    const pieces = Array.from({ length: 1000 }, () => '\n'.repeat(16));
    expect(heard([words, ...pieces, 'Well.'])).toBe(`${words}${pieces.join('')}Well.`);
  });

  it('is let out as soon as it can be nothing else', () => {
    const speech = createSpeech('Ada', ['Ben']);
    expect(
      ['A', 'd', 'am', ' said', '\n', 'B', 'en', 'efit'].map((piece) => speech.push(piece).text),
    ).toEqual(['', '', 'Adam', ' said', '', '', '', '\nBenefit']);
  });
});
