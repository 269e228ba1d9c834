import type { Ending } from '../log/events.ts';
import type { AgentSettings, ConversationSettings } from '../log/settings.ts';
import type { LiveStage } from '../stream/live.ts';
import type { Outcome } from './attempt.ts';
import { type FallbackCandidate, fallbackCandidatesOf } from './fallbacks.ts';
import type { GenerateRequest, ProviderError } from './provider.ts';
import type { Session } from './session.ts';

/** Whom those who watch are told by what an attempt says. */
export type Stage = Pick<LiveStage, 'started' | 'said' | 'failed'>;

/** A turn, or a question that is none, while it is being tried. */
export interface Turn {
  readonly conversationId: string;
  readonly session: Session;
  /** Its number; of a question, the next turn's. */
  readonly number: number;
  readonly agent: AgentSettings;
  readonly stage: Stage;
  /** `words`: an answer that is no turn; its words are looked at when it is read. */
  readonly kind: 'reply' | 'words';
  /** What is asked, from the log as it is then, with so many messages of it. */
  readonly requestFor: (
    model: string,
    contextMessages: number,
    signal: AbortSignal,
  ) => Promise<GenerateRequest>;
  /** Whether it is still to be tried, as the log is then. */
  readonly isDue: () => boolean;
  readonly onCircuitOpen: NonNullable<ConversationSettings['onCircuitOpen']>;
  readonly candidates: readonly FallbackCandidate[];
  attempts: number;
  contextMessages: number;
}

export function newTurn(
  session: Session,
  given: Pick<Turn, 'number' | 'agent' | 'stage' | 'kind' | 'requestFor' | 'isDue'>,
): Turn {
  const { conversationId, state } = session;
  const { contextMessages, onCircuitOpen } = state.settings;
  const { agent } = given;
  return {
    ...given,
    conversationId,
    session,
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
  outcome: Exclude<Outcome, { kind: 'answered' | 'stopped' | 'interrupted' | 'blocked' }>,
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
