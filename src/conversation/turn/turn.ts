import type { Ending } from '../log/events.ts';
import type { AgentSettings, ConversationSettings } from '../log/settings.ts';
import type { LiveStage } from '../stream/live.ts';
import type { Outcome } from './attempt.ts';
import { type FallbackCandidate, fallbackCandidatesOf } from './fallbacks.ts';
import type { GenerateRequest, ProviderError } from './provider.ts';
import type { Session } from './session.ts';

/** Whom those who watch are told by what an attempt says. */
export type Stage = Pick<LiveStage, 'started' | 'said' | 'failed'>;

/** The most of the log that a request shows. */
export interface Extent {
  messages: number;
  /** Of each message. */
  characters: number;
}

/** Shorter than this no message is made, in characters. */
const SHORTEST = 200;

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
  readonly requestFor: (model: string, extent: Extent, signal: AbortSignal) => Promise<GenerateRequest>;
  /** Whether it is still to be tried, as the log is then. */
  readonly isDue: () => boolean;
  readonly onCircuitOpen: NonNullable<ConversationSettings['onCircuitOpen']>;
  readonly candidates: readonly FallbackCandidate[];
  attempts: number;
  /** How much of the log is shown; less after a vendor said that it was too much. */
  extent: Extent;
  /** How many messages the last request showed, and the characters of the longest. */
  shown: number;
  longest: number;
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
    extent: { messages: contextMessages, characters: Infinity },
    shown: 0,
    longest: 0,
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
  if (outcome.kind === 'refused') {
    const { error } = outcome;
    if (waitsWhenOpen(turn, candidate) || turn.onCircuitOpen === 'end') {
      candidate.out = ending(
        'circuit_open',
        `${turn.agent.name} (${candidate.model.provider}): ${error.message}`,
      );
    }
    candidate.refused = true;
    return 'circuit_open';
  }
  const { error } = outcome;
  turn.attempts++;
  // A model that is yet to be loaded is waited for as long as there is time.
  if (error.blameless !== 'loading') candidate.tries++;
  for (const candidate of turn.candidates) candidate.refused = false;
  const shorten = outcome.error.code === 'context_too_long' && shortened(turn);
  const delayMs = shorten ? 0 : retryDelayMs(outcome.error, Math.max(1, candidate.tries));
  if (delayMs === undefined) {
    const detail = `${turn.agent.name} (${candidate.model.provider}): ${outcome.error.code}: ${error.message}`;
    candidate.out = ending(outcome.error.reason, detail);
  } else candidate.notBefore = now + delayMs;
  return outcome.error.code;
}

/**
 * Half of what was shown the next time, and of a lone message half of its text. False where nothing is left to leave
 * out.
 */
function shortened(turn: Turn): boolean {
  const { extent, shown, longest } = turn;
  if (shown > 1) {
    turn.extent = { ...extent, messages: Math.floor(shown / 2) };
    return true;
  }
  const characters = Math.floor(Math.min(extent.characters, longest) / 2);
  if (characters < SHORTEST) return false;
  turn.extent = { ...extent, characters };
  return true;
}

/** One whose circuit is open is asked again only where nobody else is left, and then there is but waiting. */
export function waitsWhenOpen({ onCircuitOpen }: Turn, { refused }: FallbackCandidate): boolean {
  return onCircuitOpen === 'wait' || (onCircuitOpen === 'fallback' && refused);
}

export function ending(reason: Ending['reason'], detail: string): Ending {
  return { reason, detail, by: 'system' };
}
