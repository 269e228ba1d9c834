import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type FallbackCandidate,
  fallbackCandidatesOf,
  nextFallbackCandidate,
} from '../../src/conversation/turn/fallbacks.ts';
import { agent, MAX_TURNS_REACHED } from '../fixtures/conversations.ts';

const fallbacks = [
  { provider: 'chatgpt', model: 'b' },
  { provider: 'gemini', model: 'c' },
];
const three = (): [FallbackCandidate, FallbackCandidate, FallbackCandidate] =>
  fallbackCandidatesOf(agent('Ada', { provider: 'claude', model: 'a', fallbacks })) as never;
const named = (candidate: FallbackCandidate | undefined): string | undefined => candidate?.model.model;

describe('who is to try next', () => {
  it("is the agent's own model, then its fallbacks in their order", () => {
    const [own, first, second] = three();
    expect(named(nextFallbackCandidate([own, first, second], 0))).toBe('a');
    own.notBefore = 2000;
    expect(named(nextFallbackCandidate([own, first, second], 0))).toBe('b');
    first.notBefore = 4000;
    expect(named(nextFallbackCandidate([own, first, second], 0))).toBe('c');
  });

  it('is whoever may soonest where all have failed', () => {
    const [own, first, second] = three();
    for (const [candidate, notBefore] of [
      [own, 60_000],
      [first, 2000],
      [second, 3000],
    ] as const) {
      candidate.notBefore = notBefore;
    }
    expect(named(nextFallbackCandidate([own, first, second], 0))).toBe('b');
    expect(named(nextFallbackCandidate([own, first, second], 99_000))).toBe('a');
  });

  it('is one whose circuit is open only where there is nobody else', () => {
    const [own, first, second] = three();
    own.refused = true;
    first.notBefore = 5000;
    second.out = MAX_TURNS_REACHED;
    expect(named(nextFallbackCandidate([own, first, second], 0))).toBe('b');
    first.refused = true;
    expect(named(nextFallbackCandidate([own, first, second], 0))).toBe('a');
  });

  it('is never one who is out, and somebody as long as not all are', () => {
    const candidate = fc.record({
      tries: fc.nat(5),
      notBefore: fc.nat(100),
      refused: fc.boolean(),
      out: fc.constantFrom(undefined, MAX_TURNS_REACHED),
    });
    fc.assert(
      fc.property(fc.array(candidate, { minLength: 1, maxLength: 5 }), fc.nat(100), (drawn, now) => {
        const all = drawn.map((each, index) => ({ ...each, model: { provider: 'p', model: String(index) } }));
        const next = nextFallbackCandidate(all, now);
        expect(next === undefined).toBe(all.every(({ out }) => out !== undefined));
        expect(next?.out).toBeUndefined();
      }),
    );
  });
});
