import type { Ending } from '../log/events.ts';
import type { ConversationState } from '../log/state.ts';
import type { GenerateRequest } from '../turn/provider.ts';

/** US dollars for a million tokens. */
export interface Price {
  input: number;
  output: number;
}

/** US dollars for the tokens of one answer. */
export function costOf(price: Price, usage: { inputTokens: number; outputTokens: number }): number {
  return (usage.inputTokens * price.input + usage.outputTokens * price.output) / 1e6;
}

/** About four characters a token: OpenAI's rule of thumb for English text. */
export function estimateTokens(text: string | number): number {
  return Math.ceil((typeof text === 'string' ? text.length : text) / 4);
}

/** The estimated tokens of a whole prompt. */
export function estimateInput({ system, messages }: Pick<GenerateRequest, 'system' | 'messages'>): number {
  return messages.reduce((sum, { content }) => sum + estimateTokens(content), estimateTokens(system));
}

/** The most that a call may cost: its prompt as estimated, and its longest possible answer. */
export function mostCost(price: Price, request: GenerateRequest): number {
  return costOf(price, { inputTokens: estimateInput(request), outputTokens: request.maxOutputTokens });
}

/** PORT: what all conversations together may spend in a day. */
export interface DailyBudget {
  /**
   * Sets aside what a call may cost at most, in US dollars, before it is made; undefined where nobody knows.
   *
   * @throws BudgetSpentError where it would not fit into what is left of the day
   */
  reserve(usd: number | undefined): Promise<Reservation>;
  /** US dollars of today, spent and set aside. */
  committed(): Promise<number>;
}

/** The most that a call may take; `costUsd` is undefined where nobody knows. */
export interface CallMost {
  tokens: number;
  costUsd: number | undefined;
}

/** What a call took. */
export interface CallTook {
  tokens: number;
  costUsd: number;
}

/** PORT: what the conversations that each API key made may take in a day. */
export interface KeyBudgets {
  /**
   * Sets aside what a call may take at most, before it is made.
   *
   * @throws BudgetSpentError where it would not fit into what is left of the day; AppError `overloaded` where nobody knows
   */
  reserve(key: string, most: CallMost): Promise<KeyReservation>;
  /** @throws AppError `budget_spent` where a key may make nothing new today */
  assertLeft(key: string): Promise<void>;
}

/** What is set aside until a call is over; then what it did take counts. */
export interface KeyReservation {
  settle(took: CallTook): void;
}

/** What is set aside until a call is over; then what it did cost counts. */
export interface Reservation {
  settle(usd: number): void;
}

/** No call was made, because the day's money might not have been enough. */
export class BudgetSpentError extends Error {
  override readonly name = 'BudgetSpentError';
  readonly ending: Ending;

  constructor(detail: string, reason: 'cost_budget' | 'token_budget' = 'cost_budget') {
    super(detail);
    this.ending = { reason, detail, by: 'system' };
  }
}

/**
 * Whether a call fits into a day's limit, all in US dollars.
 *
 * @param committed spent and set aside so far
 * @param most undefined where nobody knows: that counts as over it
 * @throws BudgetSpentError where it does not
 */
export function assertWithinDay(
  committed: number,
  most: number | undefined,
  limit: number,
): asserts most is number {
  if (most === undefined) {
    throw new BudgetSpentError(
      "the price of the model is unknown, and the server has a day's limit; MODEL_SETTINGS can give it",
    );
  }
  if (committed + most <= limit) return;
  const gone = Math.round(committed * 1e6) / 1e6;
  const detail = `${gone} of the server's ${limit} US dollars a day are spent or set aside, and the next call may cost ${most}`;
  throw new BudgetSpentError(detail);
}

/**
 * The ending that a call would have to be spared for: its prompt and its longest possible answer would not
 * fit into what is left. Where a cost limit is set, an unknown price counts as over it.
 *
 * @param reserved what calls that are made at the same time may take
 */
export function overBudget(
  { usage, settings }: ConversationState,
  request: GenerateRequest,
  price: Price | undefined,
  reserved: { tokens: number; costUsd: number } = { tokens: 0, costUsd: 0 },
): Ending | undefined {
  const { maxTotalTokens, maxCostUsd } = settings.termination;
  if (maxTotalTokens === undefined && maxCostUsd === undefined) return undefined;
  const most = { inputTokens: estimateInput(request), outputTokens: request.maxOutputTokens };
  if (maxTotalTokens !== undefined) {
    const tokens = most.inputTokens + most.outputTokens;
    if (usage.totalTokens + reserved.tokens + tokens > maxTotalTokens) {
      const detail = `${usage.totalTokens} of ${maxTotalTokens} tokens are used, and the next call may take ${tokens}`;
      return { reason: 'token_budget', detail, by: 'system' };
    }
  }
  if (maxCostUsd !== undefined) {
    if (!price || usage.costUsd === null) {
      return {
        reason: 'cost_budget',
        detail: `the price of ${request.model} is unknown; MODEL_SETTINGS can give it`,
        by: 'system',
      };
    }
    const cost = mostCost(price, request);
    if (usage.costUsd + reserved.costUsd + cost > maxCostUsd) {
      const detail = `${usage.costUsd} of ${maxCostUsd} US dollars are spent, and the next call may cost ${cost}`;
      return { reason: 'cost_budget', detail, by: 'system' };
    }
  }
  return undefined;
}
