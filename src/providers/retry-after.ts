/** The limits that each vendor counts, as they stand in the names of its headers. */
const ANTHROPIC_LIMITS = ['requests', 'tokens', 'input-tokens', 'output-tokens'];
const OPENAI_LIMITS = ['requests', 'tokens'];

const MILLISECONDS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 };

/**
 * How long a vendor asks to be left alone, in milliseconds, by the headers of its answer; undefined where
 * they don't say. `retry-after-ms` (OpenAI) goes before Retry-After (RFC 9110, 10.2.3). Without either, a
 * 429 lasts until the last of the used up limits is reset, by Anthropic's `anthropic-ratelimit-*-reset`
 * (https://platform.claude.com/docs/en/api/rate-limits, RFC 3339) or OpenAI's `x-ratelimit-reset-*`
 * (https://platform.openai.com/docs/guides/rate-limits, durations such as `6m0s`). All answers may carry
 * those, so that they say nothing with another status, nor where something of the limit remains.
 *
 * @param now milliseconds since 1970
 */
export function askedByHeaders(
  headers: Headers,
  status: number | undefined,
  now: number,
): number | undefined {
  const after = headers.get('retry-after') ?? '';
  const asked = [
    numberOf(headers.get('retry-after-ms') ?? ''),
    numberOf(after) * 1000,
    dateOf(after) - now,
    ...(status === 429 ? [untilReset(headers, now)] : []),
  ].find(Number.isFinite);
  return asked === undefined ? undefined : Math.max(0, Math.round(asked));
}

/** Digits, and a fraction that some send; NaN for anything else. */
export function numberOf(text: string): number {
  return /^\s*\d+(?:\.\d+)?\s*$/.test(text) ? Number(text) : NaN;
}

/** An HTTP date, or one as RFC 3339 writes it; NaN for anything else that Date.parse would take for one. */
function dateOf(text: string): number {
  const isDate = /^\s*(?:[A-Z][a-z]{2,8},? |\d{4}-\d{2}-\d{2}T)/.test(text);
  return isDate ? Date.parse(text) : NaN;
}

/** Not finite where no limit is known to be used up. */
function untilReset(headers: Headers, now: number): number {
  const waits = [
    ...ANTHROPIC_LIMITS.map((limit) => {
      const reset = headers.get(`anthropic-ratelimit-${limit}-reset`);
      return isUsedUp(headers.get(`anthropic-ratelimit-${limit}-remaining`))
        ? Date.parse(reset ?? '') - now
        : NaN;
    }),
    ...OPENAI_LIMITS.map((limit) => {
      const reset = headers.get(`x-ratelimit-reset-${limit}`);
      return isUsedUp(headers.get(`x-ratelimit-remaining-${limit}`)) ? durationOf(reset ?? '') : NaN;
    }),
  ];
  return Math.max(...waits.filter(Number.isFinite));
}

/** A limit of which nothing is said may be the one. */
function isUsedUp(remaining: string | null): boolean {
  return remaining === null || Number(remaining) <= 0;
}

/** As Go writes durations: `1h2m3.5s`, `20ms`. NaN for anything else. */
function durationOf(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|s))+$/.test(text)) return NaN;
  return [...text.matchAll(/([\d.]+)(h|ms|m|s)/g)].reduce(
    (sum, [, amount, unit = '']) => sum + Number(amount) * (MILLISECONDS[unit] ?? NaN),
    0,
  );
}
