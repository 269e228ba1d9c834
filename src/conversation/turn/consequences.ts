import type { Draft } from '../log/draft.ts';
import { defined, type Ending, nudgeEvent, resumedEvent, terminationEvent } from '../log/events.ts';
import { nudgeDue } from '../policies/nudge.ts';
import { standardConditions } from '../policies/termination.ts';
import { spokenInRound } from '../policies/turn/panel.ts';
import { decidesAtEnd } from './decide.ts';

/** Adds what follows at once from a message that takes a turn: the end, or the moderator's word about a loop. */
export function addConsequences(draft: Draft, at: Date): void {
  const { state } = draft;
  // Ends are looked at behind a panel's round.
  const isWithinRound = spokenInRound(state) > 0 && state.turns < state.settings.maxTurns;
  if (isWithinRound) return;
  const ending = standardConditions(state, at);
  if (ending) return addEnd(draft, at, ending);
  const nudge = nudgeDue(state);
  if (nudge) draft.add(nudgeEvent(draft.nextSeq, at, nudge));
}

/** Reasons behind which there may still be a vote or a verdict (9.5). */
const DECIDED_BEHIND: ReadonlySet<Ending['reason']> = new Set([
  'max_turns',
  'phrase',
  'repetition',
  'completed',
  'condition',
]);

/**
 * Adds the end, or where something is decided before it, that it is certain. That ends a pause, too: nobody could lift
 * it any more, and what is decided is no turn to wait with.
 */
export function addEnd(draft: Draft, at: Date, ending: Ending): void {
  const { state, nextSeq: seq } = draft;
  const { reason, detail } = ending;
  if (state.closing || !DECIDED_BEHIND.has(reason) || !decidesAtEnd(state.settings)) {
    return draft.add(terminationEvent(seq, at, ending));
  }
  draft.add({ seq, type: 'conversation.closing', at: at.toISOString(), reason, ...defined({ detail }) });
  if (state.status === 'paused') draft.add(resumedEvent(draft.nextSeq, at, { by: 'system' }));
}
