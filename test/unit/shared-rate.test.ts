import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { LaneOptions } from '../../src/conversation/turn/lane.ts';
import { ProviderError } from '../../src/conversation/turn/provider.ts';
import { DEFAULT_LANE_SETTINGS, type LaneSettings } from '../../src/protection/settings.ts';
import {
  type ReservedCall,
  type SharedProtection,
  UNSHARED,
} from '../../src/protection/shared-protection.ts';
import { localLane } from '../fixtures/lane.ts';

const LIMIT = 600;
const advance = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
const pass = () => Promise.resolve('said');
const sorted = (numbers: number[]) => numbers.toSorted((left, right) => left - right);

/** The other instances, whose answers the test gives, and what stands aside with them: the tokens of each call. */
function others() {
  const asked: { tokens: number; answer: (delayMs: number | undefined) => void }[] = [];
  const aside: number[] = [];
  let isThere = true;
  const protection: SharedProtection = {
    ...UNSHARED,
    rate: () => ({
      reserve(tokens) {
        if (!isThere) return undefined;
        const { promise, resolve } = Promise.withResolvers<ReservedCall | undefined>();
        const answer = (delayMs: number | undefined): void => {
          if (delayMs === undefined) return resolve(undefined);
          aside.push(tokens);
          resolve({ delayMs, giveBack: () => void aside.splice(aside.indexOf(tokens), 1) });
        };
        asked.push({ tokens, answer });
        return promise;
      },
    }),
  };
  return {
    protection,
    asked,
    aside,
    leave: () => {
      isThere = false;
    },
  };
}

function stage(extra: Partial<LaneSettings> = {}) {
  const made = others();
  const settings = { ...DEFAULT_LANE_SETTINGS, tokensPerMinute: LIMIT, ...extra };
  const lane = localLane(settings, made.protection, () => {});
  const called: number[] = [];
  /** Waits for a call of so many tokens; gives how to leave, and what came of it. */
  const come = (tokens: number, extra: Partial<LaneOptions> = {}, attempt: () => Promise<unknown> = pass) => {
    const aborter = new AbortController();
    const options = {
      tenant: 'default',
      tokens,
      whenOpen: 'wait',
      deadline: Infinity,
      signal: aborter.signal,
      ...extra,
    } as const;
    const outcome = lane
      .run(() => {
        called.push(tokens);
        return attempt();
      }, options)
      .catch((error: Error) => error.message);
    return { leave: () => aborter.abort(new Error('left')), outcome };
  };
  return { lane, called, come, ...made };
}

const breakIt = () => Promise.reject(new ProviderError('server_error', 'no'));

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a lane without limits asks nobody', async () => {
  const { come, asked, called } = stage({ tokensPerMinute: undefined });
  for (const tokens of [1, 2, 3]) await come(tokens).outcome;
  expect([called, asked]).toEqual([[1, 2, 3], []]);
});

it('asks for the next in line alone, once, and lets in when it is due, in order', async () => {
  const { come, asked, called } = stage();
  for (const tokens of [1, 2, 3]) come(tokens);
  await advance(1000);
  expect(asked.map(({ tokens }) => tokens)).toEqual([1]);
  asked[0]?.answer(0);
  await advance(0);
  expect([called, asked.map(({ tokens }) => tokens)]).toEqual([[1], [1, 2]]);
  asked[1]?.answer(30_000);
  await advance(29_999);
  expect([called, asked.length]).toEqual([[1], 2]);
  await advance(1);
  expect([called, asked.length]).toEqual([[1, 2], 3]);
});

it('asks for no more tokens than a minute has', async () => {
  const { come, asked } = stage();
  come(5000);
  expect(asked.map(({ tokens }) => tokens)).toEqual([LIMIT]);
});

it.each(['asked for', 'set aside'])(
  'who leaves while the call is %s leaves it to the next, or gives it back',
  async (stand) => {
    const { come, asked, called, aside } = stage();
    const answer = async (index: number, delayMs: number): Promise<void> => {
      asked[index]?.answer(delayMs);
      await advance(0);
    };
    const [first, second, third] = [come(10), come(10), come(20)];
    if (stand === 'set aside') await answer(0, 5000);
    first.leave();
    if (stand === 'asked for') await answer(0, 5000);
    // As large as the first.
    expect([asked.length, aside]).toEqual([1, [10]]);
    second.leave();
    await advance(0);
    // Of another size.
    expect([asked.map(({ tokens }) => tokens), aside]).toEqual([[10, 20], []]);
    if (stand === 'set aside') await answer(1, 5000);
    third.leave();
    if (stand === 'asked for') await answer(1, 5000);
    await advance(60_000);
    expect([called, aside, asked.length]).toEqual([[], [], 2]);
  },
);

it('gives back what would be due too late for who waits', async () => {
  const { come, asked, aside } = stage();
  const { outcome } = come(10, { deadline: Date.now() + 1000 });
  asked[0]?.answer(1001);
  expect(await outcome).toContain('outlast');
  expect(aside).toEqual([]);
});

it('gives back what is set aside when the circuit opens or the vendor asks for a pause', async () => {
  for (const error of [
    new ProviderError('network', 'no'),
    new ProviderError('overloaded', 'no', { retryAfterMs: 9000 }),
  ]) {
    const { come, asked, aside, called } = stage({ circuit: { failures: 1, openMs: 9000 } });
    const { promise, reject } = Promise.withResolvers<string>();
    come(10, {}, () => promise);
    asked[0]?.answer(0);
    await advance(0);
    come(20);
    asked[1]?.answer(3000);
    await advance(0);
    expect(aside).toEqual([10, 20]);
    reject(error);
    await advance(8999);
    expect([aside, asked.length, called]).toEqual([[10], 2, [10]]);
    await advance(1);
    asked[2]?.answer(0);
    await advance(0);
    expect([aside, called]).toEqual([
      [10, 20],
      [10, 20],
    ]);
  }
});

it('goes by its own limits when nobody answers, and knows what it has called', async () => {
  const { come, asked, called, leave } = stage();
  come(400);
  asked[0]?.answer(0);
  await advance(0);
  come(200);
  come(100);
  leave();
  asked[1]?.answer(undefined);
  await advance(0);
  expect(called).toEqual([400, 200]);
  await advance(10_000);
  expect([called, asked.length]).toEqual([[400, 200, 100], 2]);
});

/** What may happen: somebody comes or leaves, an answer comes, a call fails, time passes. */
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('come' as const), tokens: fc.constantFrom(10, 20) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('leave' as const), index: fc.nat(2) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      delayMs: fc.constantFrom(0, 0, 1000, 20_000, undefined),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('break' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(0, 999, 30_000) }),
  },
);

it('whatever happens, what stands aside in the end is what was called, in order, and nobody still waits', async () => {
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 60 }),
    fc.boolean(),
    async (steps, allLeave) => {
      const { lane, come, asked, aside, called } = stage({ circuit: { failures: 2, openMs: 5000 } });
      const waiting = new Map<number, ReturnType<typeof come>>();
      const served: number[] = [];
      let [numbers, answers] = [0, 0];
      const answer = (delayMs: number | undefined): void => asked[answers++]?.answer(delayMs);
      for (const taken of steps) {
        const number = numbers++;
        if (taken.kind === 'come') {
          const visitor = come(taken.tokens, {}, async () => void served.push(number));
          waiting.set(number, visitor);
          void visitor.outcome.then(() => waiting.delete(number));
        }
        if (taken.kind === 'break') come(10, { whenOpen: 'refuse' }, breakIt);
        if (taken.kind === 'leave') [...waiting.values()][taken.index]?.leave();
        if (taken.kind === 'answer' && answers < asked.length) answer(taken.delayMs);
        await advance(taken.kind === 'pass' ? taken.ms : 0);
      }
      if (allLeave) for (const { leave } of waiting.values()) leave();
      while (lane.load.waiting > 0 || answers < asked.length) {
        if (answers < asked.length) answer(0);
        await advance(5000);
      }
      expect(served).toEqual(sorted(served));
      expect(sorted(aside)).toEqual(sorted(called));
    },
  );
  await fc.assert(property, { numRuns: 300 });
});
