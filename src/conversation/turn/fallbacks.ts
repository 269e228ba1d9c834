import type { Ending } from '../log/events.ts';
import type { AgentSettings, ModelChoice } from '../log/settings.ts';

/** One of the models that may play an agent in a turn, and how far it has come with it. */
export interface FallbackCandidate {
  readonly model: ModelChoice;
  /** How often it was tried in this turn. */
  tries: number;
  /** When it may be tried again, on the clock of `elapsed`; milliseconds. */
  notBefore: number;
  /** Its circuit was open when it was asked last. */
  refused: boolean;
  /** The ending that its failure means, if nobody else can take the turn. */
  out: Ending | undefined;
}

/** The agent's own model, and behind it the fallbacks in their order. */
export function fallbackCandidatesOf({
  provider,
  model,
  fallbacks = [],
}: AgentSettings): FallbackCandidate[] {
  return [{ provider, model }, ...fallbacks].map((choice) => ({
    model: { provider: choice.provider, model: choice.model },
    tries: 0,
    notBefore: 0,
    refused: false,
    out: undefined,
  }));
}

/**
 * Who is to try next: whoever may soonest, the agent's own model before its fallbacks, and one whose circuit
 * is open only where all others' are, too. Undefined where all are out.
 */
export function nextFallbackCandidate(
  candidates: readonly FallbackCandidate[],
  now: number,
): FallbackCandidate | undefined {
  let best: FallbackCandidate | undefined;
  const wait = ({ notBefore }: FallbackCandidate): number => Math.max(0, notBefore - now);
  for (const candidate of candidates) {
    if (candidate.out) continue;
    const isBetter =
      best === undefined ||
      (best.refused && !candidate.refused) ||
      (best.refused === candidate.refused && wait(candidate) < wait(best));
    if (isBetter) best = candidate;
  }
  return best;
}
