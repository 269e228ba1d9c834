import type { When } from '../../protocol/voices.ts';
import type { ConversationState } from '../log/state.ts';
import { loopIn } from './loops.ts';
import { whoSaid } from './said.ts';
import { roundsDone } from './turn/turn-policy.ts';

/**
 * Whether a condition holds (9.3).
 *
 * @returns in words the parts that held, or undefined where it doesn't hold
 */
export function whatHolds(when: When, state: ConversationState, now: Date): string | undefined {
  if ('any' in when) {
    const held = when.any.flatMap((each) => whatHolds(each, state, now) ?? []);
    return held.length > 0 ? held.join('; ') : undefined;
  }
  if ('all' in when) {
    const held = when.all.map((each) => whatHolds(each, state, now));
    return held.every((each) => each !== undefined) ? held.join(' and ') : undefined;
  }
  if ('not' in when) {
    return whatHolds(when.not, state, now) === undefined ? `not (${inWords(when.not)})` : undefined;
  }
  return holds(when, state, now) ? inWords(when) : undefined;
}

type Simple = Exclude<When, { any: unknown } | { all: unknown } | { not: unknown }>;

function holds(when: Simple, state: ConversationState, now: Date): boolean {
  const { settings, agentTurns, usage } = state;
  const indexOf = (name: string): number => settings.agents.findIndex((agent) => agent.name === name);
  if ('turns' in when) return state.turns >= when.turns;
  if ('rounds' in when) return roundsDone(state) >= when.rounds;
  if ('said' in when) {
    const agents = whoSaid(state.said, when.said, 'ever');
    return when.by === undefined ? agents.length > 0 : agents.includes(indexOf(when.by));
  }
  if ('spoke' in when) return (agentTurns[indexOf(when.spoke)] ?? 0) >= (when.times ?? 1);
  if ('seconds' in when) return now.getTime() - state.createdAt - state.pausedMs >= when.seconds * 1000;
  if ('totalTokens' in when) return usage.totalTokens >= when.totalTokens;
  // An unknown price counts as over the limit, for nobody could say that it is not.
  if ('costUsd' in when) return usage.costUsd === null || usage.costUsd >= when.costUsd;
  if ('repetition' in when) return loopIn(state.loops) !== undefined;
  const all = settings.agents.filter(({ speaks }) => speaks !== 'never');
  return whoSaid(state.said, when.everybodySaid, 'last').length >= all.length;
}

function inWords(when: When): string {
  if ('any' in when) return when.any.map(inWords).join(' or ');
  if ('all' in when) return when.all.map(inWords).join(' and ');
  if ('not' in when) return `not (${inWords(when.not)})`;
  if ('turns' in when) return `${when.turns} turns were taken`;
  if ('rounds' in when) return `everybody has spoken ${when.rounds} times`;
  if ('said' in when) return `${when.by ?? 'somebody'} said "${when.said}"`;
  if ('spoke' in when) return `${when.spoke} has spoken ${when.times ?? 1} times`;
  if ('seconds' in when) return `${when.seconds} seconds have passed`;
  if ('totalTokens' in when) return `${when.totalTokens} tokens are used`;
  if ('costUsd' in when) return `${when.costUsd} US dollars are spent`;
  if ('repetition' in when) return 'the talk goes in circles';
  return `everybody said "${when.everybodySaid}"`;
}
