import type { Ending } from '../log/events.ts';
import type { AgentSettings, ConversationSettings } from '../log/settings.ts';
import type { Outcome } from './attempt.ts';
import { decide } from './decide.ts';
import { type FallbackCandidate, fallbackCandidatesOf } from './fallbacks.ts';
import type { ProviderError } from './provider.ts';
import type { Session } from './session.ts';

/** A turn while it is being tried. */
export interface Turn {
  readonly conversationId: string;
  readonly session: Session;
  /** Its number. */
  readonly number: number;
  readonly speaker: number;
  readonly agent: AgentSettings;
  readonly onCircuitOpen: NonNullable<ConversationSettings['onCircuitOpen']>;
  readonly candidates: readonly FallbackCandidate[];
  attempts: number;
  contextMessages: number;
}

/** Whether a turn is still to be spoken, in the order in which it was begun. */
export function isDue({ session, number, speaker }: Turn): boolean {
  const command = decide(session.state);
  return command.kind === 'speak' && command.speaker === speaker && session.state.turns + 1 === number;
}

export function turnOf(session: Session, speaker: number): Turn {
  const { conversationId, state } = session;
  const { agents, contextMessages, onCircuitOpen } = state.settings;
  const agent = agents[speaker];
  if (!agent) throw new Error(`the turn policy chose agent ${speaker} of ${agents.length}`);
  return {
    conversationId,
    session,
    number: state.turns + 1,
    speaker,
    agent,
    onCircuitOpen: onCircuitOpen ?? (agent.fallbacks?.length ? 'fallback' : 'wait'),
    candidates: fallbackCandidatesOf(agent),
    attempts: 0,
    contextMessages,
  };
}

/** Notes what a try in vain means for the model that made it; gives the failure's name. */
export function learn(
  turn: Turn,
  candidate: FallbackCandidate,
  outcome: Exclude<Outcome, { kind: 'answered' | 'stopped' | 'interrupted' }>,
  now: number,
  retryDelayMs: (error: ProviderError, triesSoFar: number) => number | undefined,
): string {
  if (outcome.kind === 'impossible') {
    candidate.out = outcome.ending;
    return outcome.ending.reason;
  }
  const { error } = outcome;
  if (outcome.kind === 'refused') {
    if (waitsWhenOpen(turn, candidate) || turn.onCircuitOpen === 'end') {
      candidate.out = ending(
        'circuit_open',
        `${turn.agent.name} (${candidate.model.provider}): ${error.message}`,
      );
    }
    candidate.refused = true;
    return 'circuit_open';
  }
  turn.attempts++;
  candidate.tries++;
  for (const candidate of turn.candidates) candidate.refused = false;
  const all = turn.session.state.settings.contextMessages;
  const shorten =
    outcome.error.code === 'context_too_long' && turn.contextMessages === all && turn.contextMessages > 1;
  if (shorten) turn.contextMessages = Math.floor(all / 2);
  const delayMs = shorten ? 0 : retryDelayMs(outcome.error, candidate.tries);
  if (delayMs === undefined) {
    const detail = `${turn.agent.name} (${candidate.model.provider}): ${outcome.error.code}: ${error.message}`;
    candidate.out = ending(outcome.error.reason, detail);
  } else candidate.notBefore = now + delayMs;
  return outcome.error.code;
}

/** One whose circuit is open is asked again only where nobody else is left, and then there is but waiting. */
export function waitsWhenOpen({ onCircuitOpen }: Turn, { refused }: FallbackCandidate): boolean {
  return onCircuitOpen === 'wait' || (onCircuitOpen === 'fallback' && refused);
}

export function ending(reason: Ending['reason'], detail: string): Ending {
  return { reason, detail, by: 'system' };
}
