import type { SpentEvent } from '../log/events.ts';
import {
  costOf,
  type DailyBudget,
  estimateInput,
  estimateTokens,
  type KeyBudgets,
  mostCost,
  type Price,
  type Reservation,
} from '../policies/budget.ts';
import type { AnswerPart, GenerateRequest } from './provider.ts';

export type Usage = NonNullable<Extract<AnswerPart, { type: 'finish' }>['usage']>;

/** What an attempt has said and cost so far, for whoever has to account for it, whatever becomes of it. */
export interface Progress {
  /** As the vendor said it: nothing of it is to be shown before a guard has looked. */
  text: string;
  /** Characters of what it thought, and of whatever else it wrote that is no part of its text. */
  unsaid: number;
  /** The vendor has ended its answer. */
  isFinished: boolean;
  /** As the vendor counted; undefined where it has told nothing. */
  usage: Usage | undefined;
}

export function newProgress(): Progress {
  return { text: '', unsaid: 0, isFinished: false, usage: undefined };
}

/**
 * What an attempt took: as the vendor counted, or estimated from its prompt and its text. Undefined where nothing
 * says that it took anything: no text came and no end.
 */
export function spendingOf(
  { text, unsaid, isFinished, usage }: Progress,
  request: GenerateRequest,
  price: Price | undefined,
): Pick<SpentEvent, 'inputTokens' | 'outputTokens' | 'costUsd' | 'estimated'> | undefined {
  if (text === '' && unsaid === 0 && !isFinished) return undefined;
  const tokens = usage ?? estimated(request, text, unsaid);
  return { ...tokens, costUsd: price ? costOf(price, tokens) : null, estimated: !usage };
}

/** As if what it thought had been said: it is paid for. */
export function estimated(request: GenerateRequest, text: string, unsaid: number): Usage {
  return { inputTokens: estimateInput(request), outputTokens: estimateTokens(text.length + unsaid) };
}

/** What a vendor counted, where it can be: some servers send fractions, or less than nothing. */
export function trusted(usage: Usage | undefined): Usage | undefined {
  const counts = usage && [usage.inputTokens, usage.outputTokens];
  return counts?.every((count) => Number.isSafeInteger(count) && count >= 0) ? usage : undefined;
}

/** What a failed attempt took, as it stands in the log; undefined where it took nothing. */
export type Spent = Omit<SpentEvent, 'seq' | 'at' | 'type'> | undefined;

/** What limits a day. */
export interface DayBudgets {
  /** What all conversations together may spend in a day; undefined where there is no limit. */
  dailyBudget: DailyBudget | undefined;
  /** What the conversations of each API key may take in a day; undefined where there are no keys. */
  keyBudgets: KeyBudgets | undefined;
}

/** Sets the most that a call may take aside for as long as it lasts, where a day has limits. */
export async function withinDay<Result>(
  { dailyBudget, keyBudgets }: DayBudgets,
  key: string | undefined,
  { price }: { price: Price | undefined },
  request: GenerateRequest,
  progress: Progress,
  call: () => Promise<Result>,
): Promise<Result> {
  const ofKey = key === undefined ? undefined : keyBudgets;
  if (!dailyBudget && !ofKey) return call();
  const costUsd = price && mostCost(price, request);
  const tokens = estimateInput(request) + request.maxOutputTokens;
  const keyReservation = await ofKey?.reserve(key ?? '', { tokens, costUsd });
  let reservation: Reservation | undefined;
  try {
    reservation = await dailyBudget?.reserve(costUsd);
    return await call();
  } finally {
    const spent = spendingOf(progress, request, price);
    const cost = spent?.costUsd ?? 0;
    reservation?.settle(cost);
    const took = (spent?.inputTokens ?? 0) + (spent?.outputTokens ?? 0);
    keyReservation?.settle({ tokens: took, costUsd: cost });
  }
}
