import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WordTable } from '../../src/conversation/policies/word-table.ts';

describe('a table of words', () => {
  it('says what a map says, of whatever words', () => {
    const entries = fc.array(fc.tuple(fc.string({ maxLength: 3 }), fc.nat()), { maxLength: 40 });
    fc.assert(
      fc.property(entries, fc.array(fc.string({ maxLength: 3 })), (given, others) => {
        const map = new Map(given);
        const table = new WordTable(given);
        expect(table.size).toBe(map.size);
        for (const word of [...map.keys(), ...others]) expect(table.get(word)).toBe(map.get(word));
      }),
    );
  });

  it('tells words with the same hash from each other', () => {
    // Two 32-bit FNV-1a collisions: http://www.isthe.com/chongo/tech/comp/fnv/index.html
    const table = new WordTable([
      ['costarring', 1],
      ['liquid', 2],
      ['declinate', 3],
    ]);
    expect(['costarring', 'liquid', 'declinate', 'macallums'].map((word) => table.get(word))).toEqual([
      1,
      2,
      3,
      undefined,
    ]);
  });
});
