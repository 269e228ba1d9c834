import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  PROVIDER_FAILURES,
  ProviderError,
  type ProviderFailure,
} from '../../src/conversation/turn/provider.ts';
import { DEFAULT_RETRY, retryDelayMs } from '../../src/conversation/turn/retry.ts';

const CODES = Object.keys(PROVIDER_FAILURES) as ProviderFailure[];
const overloaded = (retryAfterMs?: number) => new ProviderError('overloaded', 'busy', { retryAfterMs });
const below1 = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
const HOUR = 3_600_000;

describe('the wait before the next try', () => {
  it('is 2, 4, 8 and 16 s, and the fifth failure is final', () => {
    const delays = [1, 2, 3, 4, 5].map((tries) => retryDelayMs(overloaded(), tries, () => 0.5));
    expect(delays).toEqual([2000, 4000, 8000, 16_000, undefined]);
  });

  it('is at most 120 s where more tries are allowed', () => {
    const delays = [6, 7, 8, 19].map((tries) =>
      retryDelayMs(overloaded(), tries, () => 0.5, { ...DEFAULT_RETRY, tries: 20 }),
    );
    expect(delays).toEqual([64_000, 120_000, 120_000, 120_000]);
  });

  it('strays by up to 20 % either way, and reaches both ends', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), below1, (tries, chance) => {
        const delay = retryDelayMs(overloaded(), tries, () => chance) ?? 0;
        const middle = 2000 * 2 ** (tries - 1);
        expect(delay).toBeGreaterThanOrEqual(0.8 * middle);
        expect(delay).toBeLessThanOrEqual(1.2 * middle);
      }),
    );
    expect(retryDelayMs(overloaded(), 1, () => 0)).toBe(1600);
    expect(retryDelayMs(overloaded(), 1, () => 0.999_999)).toBe(2400);
  });

  it('is never shorter than the vendor asked, nor longer than both need', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.double({ min: 0, max: HOUR, noNaN: true }),
        below1,
        (tries, asked, chance) => {
          const plain = retryDelayMs(overloaded(), tries, () => chance) ?? 0;
          expect(retryDelayMs(overloaded(asked), tries, () => chance)).toBe(
            Math.ceil(Math.max(asked, plain)),
          );
        },
      ),
    );
  });

  it('is given up where the vendor asks for more than an hour', () => {
    expect(retryDelayMs(overloaded(HOUR), 1, () => 0)).toBe(HOUR);
    expect(retryDelayMs(overloaded(HOUR + 1), 1, () => 0)).toBeUndefined();
    expect(retryDelayMs(overloaded(Infinity), 1, () => 0)).toBeUndefined();
  });

  it.each(CODES)('exists after %s if and only if that may pass', (code) => {
    const delay = retryDelayMs(new ProviderError(code, ''), 1, () => 0.5);
    expect(delay).toBe(PROVIDER_FAILURES[code].retryable ? 2000 : undefined);
  });
});
