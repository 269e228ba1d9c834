import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fingerprint, jaccard } from '../../src/conversation/policies/similarity.ts';

const similarity = (left: string, right: string): number => jaccard(fingerprint(left), fingerprint(right));

const words = fc.array(fc.constantFrom('the', 'bees', 'Fly', 'at', 'night', 'über', '蜂'), { maxLength: 30 });
const text = fc.oneof(
  words.map((list) => list.join(' ')),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
);

describe('the similarity of two texts', () => {
  it('is 1 for a text and itself, the same both ways round, and between 0 and 1', () => {
    fc.assert(
      fc.property(text, text, (left, right) => {
        expect(similarity(left, left)).toBe(1);
        expect(similarity(left, right)).toBe(similarity(right, left));
        expect(similarity(left, right)).toBeGreaterThanOrEqual(0);
        expect(similarity(left, right)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it('is the Jaccard index of the two sets', () => {
    const set = fc.uniqueArray(fc.nat({ max: 40 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(set, set, (left, right) => {
        const shared = left.filter((number) => right.includes(number)).length;
        const union = new Set([...left, ...right]).size;
        expect(jaccard(Uint32Array.from(left).sort(), Uint32Array.from(right).sort())).toBe(shared / union);
      }),
    );
  });

  it('counts hashes of more than 31 bits in their order', () => {
    const large = Uint32Array.of(1, 0x80000000, 0xffffffff);
    expect(jaccard(large, Uint32Array.of(0xffffffff))).toBe(1 / 3);
  });

  it('is that of sets of word trigrams', () => {
    const naive = (list: readonly string[]): Set<string> =>
      new Set(
        list.slice(2).map((_, index) =>
          list
            .slice(index, index + 3)
            .join(' ')
            .toLowerCase(),
        ),
      );
    const long = fc.array(fc.constantFrom('the', 'Bees', 'fly', 'at', 'night'), {
      minLength: 3,
      maxLength: 40,
    });
    fc.assert(
      fc.property(long, long, (left, right) => {
        const [a, b] = [naive(left), naive(right)];
        expect(similarity(left.join(' '), right.join(' '))).toBe(
          [...a].filter((gram) => b.has(gram)).length / new Set([...a, ...b]).size,
        );
      }),
    );
  });

  it('gives sorted fingerprints without repeats', () => {
    fc.assert(
      fc.property(text, (any) => {
        const grams = [...fingerprint(any)];
        expect(grams.length).toBeGreaterThan(0);
        expect(grams).toEqual([...new Set(grams)].sort((left, right) => left - right));
      }),
    );
  });

  it.each([
    ['I agree.', 'i AGREE!'],
    ["Don't you think so?", 'don’t you, think so'],
    ['Science should be open; by default.', '  science should\nbe OPEN — by “default”…'],
    ['Well… (as I said) that is that.', 'Well, as I said: that is that'],
    ['ÜBER ALLES ÄPFEL', 'über alles äpfel'],
    ['我同意你的看法。', '我同意你的看法！'],
    ['你好，世界，今天很好', '你好。世界。今天很好！'],
    ['はい、そうです。', 'はい そうです'],
    ['Привет, мир, снова', 'привет мир снова!'],
  ])('is 1 whatever the case and the punctuation: %j, %j', (left, right) => {
    expect(similarity(left, right)).toBe(1);
  });

  it.each([
    ['short replies', 'Yes.', 'No.'],
    ['short replies', 'I agree.', 'I agree completely.'],
    ['short replies', 'Why?', 'Why not?'],
    ['emoji', '👍', '👎'],
    ['emoji', '🙂🙂🙂', '🙃'],
    ['signs', '...', '???'],
    ['nothing', '', '?'],
    ['CJK', '我同意。', '我不同意。'],
    ['CJK', '今天天气很好，我们去公园吧。', '今天我们讨论科学，天气不重要。'],
    [
      'texts that share vocabulary',
      'Open science means that everybody can read the results, and that funding is no barrier to reading.',
      'If everybody can read the results, who pays? The funding of open science is the barrier, not reading.',
    ],
    [
      'answers that take up a question',
      'Do you really believe that machines can think, or do they merely repeat what we have said?',
      'Machines can think as much as we do; what you believe about it says more about you than about them.',
    ],
  ])('is low for honest talk: %s', (_, left, right) => {
    expect(similarity(left, right)).toBeLessThan(0.5);
  });

  it.each([
    ['👍', '👍'],
    ['!!!', '!!!'],
    ['', ''],
    ['好', '好。'],
  ])('is 1 for the same without words: %j, %j', (left, right) => {
    expect(similarity(left, right)).toBe(1);
  });

  it('is high where a word or two of a long text were changed', () => {
    const long = Array.from({ length: 100 }, (_, index) => `word${index}`);
    expect(similarity(long.join(' '), long.with(50, 'other').join(' '))).toBeGreaterThan(0.9);
    const chinese =
      '我认为科学应该对所有人开放因为知识属于全人类而不属于少数机构研究经费来自纳税人所以结果应该公开给大家使用和检验';
    expect(similarity(chinese, `${chinese}吧`)).toBeGreaterThan(0.85);
    expect(similarity(chinese, chinese.replace('少数', '某些'))).toBeGreaterThan(0.8);
  });
});
