import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { roundRobin } from '../../src/conversation/policies/turn-policy.ts';

it('2.1: the first in the list speaks first, then they go round in order', () => {
  const agents = ['a', 'b', 'c'];
  const speakers = [0, 1, 2, 3, 4, 5, 6].map((turns) => roundRobin({ agents, turns }));
  expect(speakers).toEqual([0, 1, 2, 0, 1, 2, 0]);
});

it('gives everybody a turn before anybody has a second one', () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 16 }), fc.nat({ max: 10_000 }), (count, turns) => {
      const agents = Array.from({ length: count });
      const round = agents.map((_, index) => roundRobin({ agents, turns: turns + index }));
      expect(new Set(round)).toEqual(new Set(agents.keys()));
      expect(roundRobin({ agents, turns: turns + count })).toBe(round[0]);
    }),
  );
});
