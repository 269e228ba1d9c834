import { caseless } from '../log/caseless.ts';
import type { Ending } from '../log/events.ts';
import { isTurn } from '../log/record.ts';
import type { ConversationState } from '../log/state.ts';
import { whatHolds } from './conditions.ts';
import { loopIn } from './loops.ts';
import { nudgeDue } from './nudge.ts';
import { isPlanOver } from './turn/turn-policy.ts';

/** A reason to end after the last message, or none. Pure: all it knows is the state and the time. */
export type Condition = (state: ConversationState, now: Date) => Ending | undefined;

/** A phrase in the last reply, without case, anywhere in the text, from turn `minTurns` on. */
const phrase: Condition = ({ settings, lastMessage, turns }) => {
  const { phrases, minTurns } = settings.termination;
  if (!lastMessage || !isTurn(lastMessage, settings.agents) || turns < minTurns) return undefined;
  const content = caseless(lastMessage.content);
  const found = phrases.find((wanted) => content.includes(caseless(wanted)));
  return found === undefined ? undefined : system('phrase', `${lastMessage.sender} said "${found}"`);
};

/** What the request asked for beside the usual ends. */
const condition: Condition = (state, now) => {
  const { when } = state.settings.termination;
  const held = when && whatHolds(when, state, now);
  return held ? system('condition', held) : undefined;
};

/** A debate or a panel that has come to its planned end. */
const completed: Condition = (state) => (isPlanOver(state) ? system('completed') : undefined);

/**
 * Agents that go round in circles (near-duplicates, cycles, or nothing but thanks and agreement), and go on
 * with it after the moderator has told them.
 */
const repetition: Condition = (state) => {
  const loop = loopIn(state.loops);
  return loop && !nudgeDue(state) ? system('repetition', loop.detail) : undefined;
};

const tokenBudget: Condition = ({ settings, usage }) => {
  const { maxTotalTokens } = settings.termination;
  if (maxTotalTokens === undefined || usage.totalTokens < maxTotalTokens) return undefined;
  return system('token_budget', `${usage.totalTokens} of ${maxTotalTokens} tokens are used`);
};

/** An unknown price counts as over the limit, for nobody could say that it is not. */
const costBudget: Condition = ({ settings, usage }) => {
  const { maxCostUsd } = settings.termination;
  if (maxCostUsd === undefined) return undefined;
  if (usage.costUsd === null) return system('cost_budget', 'the price of a reply is unknown');
  return usage.costUsd < maxCostUsd
    ? undefined
    : system('cost_budget', `${usage.costUsd} of ${maxCostUsd} US dollars are spent`);
};

const maxTurns: Condition = ({ settings, turns }) =>
  turns < settings.maxTurns ? undefined : system('max_turns');

/** The conversation's time runs from its creation, but for the pauses. */
export const timeout: Condition = (state, now) =>
  now.getTime() < deadline(state)
    ? undefined
    : system('timeout', `${state.settings.timeoutSeconds} seconds have passed`);

/** When the conversation's time is up, in milliseconds since 1970. */
export function deadline({
  createdAt,
  settings,
  pausedMs,
}: Pick<ConversationState, 'createdAt' | 'settings' | 'pausedMs'>): number {
  return createdAt + settings.timeoutSeconds * 1000 + pausedMs;
}

/** The first of several conditions that holds. */
function firstOf(...conditions: readonly Condition[]): Condition {
  return (state, now) => {
    for (const condition of conditions) {
      const ending = condition(state, now);
      if (ending) return ending;
    }
    return undefined;
  };
}

/** What ends a conversation, in the order in which it is named where several hold at once. */
export const standardConditions = firstOf(
  phrase,
  condition,
  completed,
  repetition,
  tokenBudget,
  costBudget,
  maxTurns,
  timeout,
);

function system(reason: Ending['reason'], detail?: string): Ending {
  return { reason, ...(detail === undefined ? {} : { detail }), by: 'system' };
}
