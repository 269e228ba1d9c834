import type { ProviderStatus } from '../../client/types.ts';
import { formatDollars } from '../text/format.ts';
import { texts } from '../text/texts.ts';
import type { Draft } from './draft.ts';

/** What the server fills in where nothing is said; it may be configured otherwise. */
const USUAL = { maxTurns: 50, maxOutputTokens: 1024, contextMessages: 10, promptTokens: 400 };
const PER = 1_000_000;

/** What a talk may cost at most, where the prices of its models are known. */
export function WorstCase({ draft, providers }: { draft: Draft; providers: readonly ProviderStatus[] }) {
  const words = worstCaseOf(draft, providers);
  return words === undefined ? null : <p class="hint across">{words}</p>;
}

function worstCaseOf(draft: Draft, providers: readonly ProviderStatus[]): string | undefined {
  if (draft.agents.length === 0) return undefined;
  const turns = draft.maxTurns === '' ? USUAL.maxTurns : Number(draft.maxTurns);
  const prices = draft.agents
    .filter(({ provider }) => provider !== 'human')
    .map(({ provider, model }) => {
      const known = providers.find(({ id }) => id === provider);
      return known?.prices?.[model.trim() || (known.defaultModel ?? '')];
    });
  if (prices.some((price) => price === undefined)) return texts.start.worstCaseUnknown;
  const inputTokens = USUAL.promptTokens + USUAL.contextMessages * USUAL.maxOutputTokens;
  const turn = prices.map((price) =>
    price ? (price.input * inputTokens + price.output * USUAL.maxOutputTokens) / PER : 0,
  );
  const all = turns * Math.max(0, ...turn);
  const most = draft.maxCost === '' ? all : Math.min(all, Number(draft.maxCost));
  if (!Number.isFinite(most)) return undefined;
  return most === 0 ? texts.start.worstCaseFree : texts.start.worstCase(formatDollars(most));
}
