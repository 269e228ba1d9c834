import type { ProviderStatus } from '../../client/types.ts';
import type { AgentDraft, Draft } from './draft.ts';

/** What the server fills in where nothing is said; it may be configured otherwise. */
const USUAL = { maxTurns: 50, maxOutputTokens: 1024, contextMessages: 10 };
/** Instructions, topic and frame of a prompt, in tokens. */
const PROMPT_TOKENS = 400;
/** A ballot or a verdict that can't be read is asked for once more. */
const ASKED = 2;
const TRIES = 3;
const PER = 1_000_000;

interface Price {
  input: number;
  output: number;
}

/**
 * What a talk may cost at most, in US dollars: all turns by its dearest agent at full length, and each call of a
 * moderator, a vote or a judge as often as it may be asked.
 *
 * @returns undefined where nobody has said who talks; `unknown` where a model's price is not known
 */
export function worstCaseOf(
  draft: Draft,
  providers: readonly ProviderStatus[],
): number | 'unknown' | undefined {
  const models = draft.agents.filter(({ provider }) => provider !== 'human');
  if (draft.agents.length === 0) return undefined;
  const priceOf = (provider: string, model: string): Price | undefined => {
    const known = providers.find(({ id }) => id === provider);
    return known?.prices?.[model.trim() || (known.defaultModel ?? '')];
  };
  const count = (path: string, usual: number): number => Number(draft.values[path] || usual);
  const lengthOf = ({ maxOutputTokens }: AgentDraft): number =>
    Number(maxOutputTokens || USUAL.maxOutputTokens);
  const turns = count('maxTurns', USUAL.maxTurns);
  const longest = Math.max(0, ...models.map(lengthOf));
  const seen = Math.min(turns, count('contextMessages', USUAL.contextMessages)) * longest;
  const call = (price: Price | undefined, input: number, output: number): number =>
    price ? (price.input * (PROMPT_TOKENS + input) + price.output * output) / PER : Number.NaN;
  const spoken = models.map((agent) => call(priceOf(agent.provider, agent.model), seen, lengthOf(agent)));
  const outsider = (path: string, input: number): number => {
    const provider = draft.values[`${path}.provider`] || models[0]?.provider || '';
    return call(priceOf(provider, draft.values[`${path}.model`] ?? ''), input, USUAL.maxOutputTokens);
  };
  const rounds = turns / Math.max(1, draft.agents.length);
  const ballots = models.reduce(
    (sum, agent) => sum + call(priceOf(agent.provider, agent.model), seen, longest),
    0,
  );
  const voted = { vote: draft.values['decision.at'] || rounds, consensus: count('decision.everyRounds', 1) };
  const decided: Record<string, number> = {
    vote: ballots * ASKED * Math.max(1, rounds / Number(voted.vote)),
    consensus: ballots * ASKED * Math.max(1, rounds / voted.consensus),
    judge:
      outsider('decision.judge', turns * longest) *
      ASKED *
      (draft.values['decision.bothOrders'] === 'no' ? 1 : 2),
  };
  const chosen =
    draft.policy === 'moderator'
      ? (turns + 1) * count('turnPolicy.tries', TRIES) * outsider('turnPolicy.moderator', seen)
      : 0;
  // Not a number where a price is missing, and so is all that it is added to.
  const all = turns * Math.max(0, ...spoken) + chosen + (decided[draft.decision] ?? 0);
  if (Number.isNaN(all)) return 'unknown';
  return Math.min(all, Number(draft.values['termination.maxCostUsd'] || all));
}
