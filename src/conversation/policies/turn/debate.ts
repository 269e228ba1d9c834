import type { ConversationSettings } from '../../log/settings.ts';

export type Phase = 'opening' | 'rebuttal' | 'closing';

/** Where in a debate a turn stands. */
export interface DebatePlace {
  /** An index into the agents. */
  speaker: number;
  /** From 1. */
  side: number;
  phase: Phase;
  /** The round of rebuttal, from 1; 0 in the other phases. */
  round: number;
  rounds: number;
  sides: readonly (readonly string[])[];
}

const ROUNDS = 2;

/**
 * Whose turn it is in a debate: opening statements, rounds of rebuttal, closing statements; in each phase each side
 * speaks once, its members by turns from phase to phase. Undefined where it is over, or no debate.
 */
export function debatePlaceOf(
  { turnPolicy, agents }: Pick<ConversationSettings, 'turnPolicy' | 'agents'>,
  turns: number,
): DebatePlace | undefined {
  if (turnPolicy?.type !== 'debate') return undefined;
  const { sides, rounds = ROUNDS } = turnPolicy;
  const step = Math.floor(turns / sides.length);
  if (step >= rounds + 2) return undefined;
  const side = turns % sides.length;
  const members = sides[side] ?? [];
  const name = members[step % members.length];
  const phase: Phase = step === 0 ? 'opening' : step <= rounds ? 'rebuttal' : 'closing';
  return {
    speaker: agents.findIndex((agent) => agent.name === name),
    side: side + 1,
    phase,
    round: phase === 'rebuttal' ? step : 0,
    rounds,
    sides,
  };
}
