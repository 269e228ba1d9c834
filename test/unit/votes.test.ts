import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verdictOf } from '../../src/conversation/policies/verdicts.ts';
import { countVotes } from '../../src/conversation/policies/votes.ts';

const OPTIONS = ['a', 'b', 'c'];
const cast = (...choices: (string | string[] | null)[]) => choices.map((choice) => ({ choice }));

describe('9.4: votes', () => {
  it('plurality: the most wins, a tie has no winner', () => {
    expect(countVotes('plurality', OPTIONS, cast('a', 'b', 'a'))).toEqual({
      method: 'plurality',
      tally: { a: 2, b: 1, c: 0 },
      valid: 3,
      invalid: 0,
      winner: 'a',
    });
    expect(countVotes('plurality', OPTIONS, cast('a', 'b')).winner).toBeNull();
  });

  it('majority: more than half of the valid ones', () => {
    expect(countVotes('majority', OPTIONS, cast('a', 'a', 'b', 'c')).winner).toBeNull();
    expect(countVotes('majority', OPTIONS, cast('a', 'a', 'b', null)).winner).toBe('a');
  });

  it('approval: each ballot counts for all that it has', () => {
    const result = countVotes('approval', OPTIONS, cast(['a', 'b'], ['b'], ['b', 'c']));
    expect(result).toMatchObject({ tally: { a: 1, b: 3, c: 1 }, winner: 'b' });
  });

  it('a quorum that is missed leaves no winner', () => {
    expect(countVotes('plurality', OPTIONS, cast('a', null, null))).toMatchObject({
      valid: 1,
      invalid: 2,
      winner: null,
    });
    expect(countVotes('plurality', OPTIONS, cast('a', null, null), { quorum: 0.3 }).winner).toBe('a');
  });

  it('ranked: the capital of Tennessee, https://en.wikipedia.org/wiki/Instant-runoff_voting#Examples', () => {
    const ballots = [
      ...Array.from({ length: 42 }, () => ['Memphis', 'Nashville', 'Chattanooga', 'Knoxville']),
      ...Array.from({ length: 26 }, () => ['Nashville', 'Chattanooga', 'Knoxville', 'Memphis']),
      ...Array.from({ length: 15 }, () => ['Chattanooga', 'Knoxville', 'Nashville', 'Memphis']),
      ...Array.from({ length: 17 }, () => ['Knoxville', 'Chattanooga', 'Nashville', 'Memphis']),
    ];
    const options = ['Memphis', 'Nashville', 'Chattanooga', 'Knoxville'];
    expect(countVotes('ranked', options, cast(...ballots))).toMatchObject({
      tally: { Memphis: 42, Knoxville: 58 },
      winner: 'Knoxville',
    });
  });

  it('ranked: those tied for last go together; where that is everybody nobody wins', () => {
    expect(countVotes('ranked', OPTIONS, cast(['a', 'b'], ['b', 'a'], ['a'], ['c'])).winner).toBe('a');
    expect(countVotes('ranked', OPTIONS, cast(['a'], ['b'], ['c'])).winner).toBeNull();
  });

  it('consensus: the share is of all that were asked', () => {
    const agrees = ['agree', 'disagree'];
    expect(countVotes('consensus', agrees, cast('agree', 'agree', null), { share: 0.7 }).winner).toBeNull();
    expect(countVotes('consensus', agrees, cast('agree', 'agree', null), { share: 0.6 }).winner).toBe(
      'agree',
    );
    expect(countVotes('consensus', agrees, cast('agree', 'agree')).winner).toBe('agree');
  });

  it('count every valid ballot once, and have no winner but the one with the most', () => {
    const single = fc.constantFrom<string | null>('a', 'b', 'c', null);
    fc.assert(
      fc.property(fc.constantFrom('plurality', 'majority'), fc.array(single), (method, choices) => {
        const { tally, valid, invalid, winner } = countVotes(method, OPTIONS, cast(...choices));
        expect(valid + invalid).toBe(choices.length);
        expect(Object.values(tally).reduce((sum, count) => sum + count, 0)).toBe(valid);
        for (const [option, count] of Object.entries(tally)) {
          expect(count).toBe(choices.filter((choice) => choice === option).length);
          const most = winner === null || option === winner ? Infinity : (tally[winner] ?? 0);
          expect(count).toBeLessThan(most);
        }
      }),
    );
  });

  it('ranked: whoever is first on more than half of the ballots wins, in whatever order they come', () => {
    const ranking = fc.shuffledSubarray(OPTIONS, { minLength: 1 });
    fc.assert(
      fc.property(fc.array(ranking, { minLength: 1 }), (ballots) => {
        const result = countVotes('ranked', OPTIONS, cast(...ballots));
        for (const option of OPTIONS) {
          const firsts = ballots.filter(([first]) => first === option).length;
          expect(firsts * 2 > ballots.length ? result.winner : option).toBe(option);
        }
        expect(countVotes('ranked', OPTIONS, cast(...ballots.toReversed()))).toEqual(result);
      }),
    );
  });

  it('take options by whatever name', () => {
    expect(countVotes('plurality', ['__proto__', 'constructor'], cast('__proto__')).winner).toBe('__proto__');
  });
});

describe('9.5: verdicts', () => {
  const score = (agent: string, points: number) => ({ agent, criterion: 'x', score: points, why: null });

  it('are the mean of both readings, with a winner on which they agree', () => {
    const readings = [
      [score('Ada', 8), score('Ben', 6)],
      [score('Ada', 7), score('Ben', 6)],
    ];
    expect(verdictOf(['Ada', 'Ben'], [{ name: 'x', weight: 2 }], readings)).toEqual({
      scores: [score('Ada', 7.5), score('Ben', 6)],
      totals: { Ada: 15, Ben: 12 },
      winner: 'Ada',
    });
  });

  it('have no winner where the order of reading decides', () => {
    const readings = [
      [score('Ada', 8), score('Ben', 6)],
      [score('Ada', 5), score('Ben', 6)],
    ];
    expect(verdictOf(['Ada', 'Ben'], [{ name: 'x' }], readings).winner).toBeNull();
  });
});
