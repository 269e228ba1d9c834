import { isVersionOf } from '../config/model-settings.ts';
import type { Price } from '../conversation/policies/budget.ts';

/**
 * As published on 2026-11-22: US dollars for a million input and output tokens, by the beginning of a model's name; the longest that fits
 * counts. What is not here has no known price, and no conversation with a cost limit calls it.
 */
const PRICES: Readonly<Record<string, Readonly<Record<string, Price>>>> = {
  claude: {
    'claude-sonnet-5': { input: 2, output: 10 },
    'claude-sonnet-4': { input: 3, output: 15 },
    'claude-opus-4-8': { input: 5, output: 25 },
  },
  chatgpt: {
    'gpt-4.1': { input: 2, output: 8 },
    'gpt-4.1-mini': { input: 0.4, output: 1.6 },
    'gpt-4.1-nano': { input: 0.1, output: 0.4 },
    'gpt-4o': { input: 2.5, output: 10 },
    'gpt-4o-mini': { input: 0.15, output: 0.6 },
    'text-embedding-3-small': { input: 0.02, output: 0 },
    'text-embedding-3-large': { input: 0.13, output: 0 },
  },
  gemini: { 'gemini-embedding-001': { input: 0.15, output: 0 } },
  // In the process or on one's own machine nobody sends a bill.
  local: { '': { input: 0, output: 0 } },
  embedded: { '': { input: 0, output: 0 } },
};

/** The models whose prices are published, as pairs of provider and model. */
export function pricedModels(): [provider: string, model: string][] {
  return Object.entries(PRICES).flatMap(([provider, prices]) =>
    Object.keys(prices).map((model): [string, string] => [provider, model]),
  );
}

/** The published price of a provider's model; undefined where it is not known. */
export function priceOf(provider: string, model: string): Price | undefined {
  const prices = PRICES[provider] ?? {};
  const fitting = Object.keys(prices).filter((name) => name === '' || isVersionOf(name, model));
  const longest = fitting.reduce<string | undefined>(
    (best, name) => (best === undefined || name.length > best.length ? name : best),
    undefined,
  );
  return longest === undefined ? undefined : prices[longest];
}
