import {
  type ConversationEvent,
  defined,
  type Ending,
  nudgeEvent,
  resumedEvent,
  terminationEvent,
} from '../log/events.ts';
import type { ConversationState } from '../log/state.ts';
import { nudgeDue } from '../policies/nudge.ts';
import { standardConditions } from '../policies/termination.ts';
import { spokenInRound } from '../policies/turn/panel.ts';
import { decidesAtEnd } from './decide.ts';

/** What follows at once from a message that takes a turn: the end, or the moderator's word about a loop. */
export function consequences(state: ConversationState, at: Date): readonly ConversationEvent[] {
  // Ends are looked at behind a panel's round.
  const isWithinRound = spokenInRound(state) > 0 && state.turns < state.settings.maxTurns;
  if (isWithinRound) return [];
  const ending = standardConditions(state, at);
  if (ending) return endEvents(state, at, ending);
  const nudge = nudgeDue(state);
  return nudge ? [nudgeEvent(state.lastSeq + 1, at, nudge)] : [];
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
 * The end, or where something is decided before it, that it is certain. That ends a pause, too: nobody could lift it
 * any more, and what is decided is no turn to wait with.
 */
export function endEvents(state: ConversationState, at: Date, ending: Ending): readonly ConversationEvent[] {
  const { reason, detail } = ending;
  const seq = state.lastSeq + 1;
  if (state.closing || !DECIDED_BEHIND.has(reason) || !decidesAtEnd(state.settings)) {
    return [terminationEvent(seq, at, ending)];
  }
  const closing: ConversationEvent = {
    seq,
    type: 'conversation.closing',
    at: at.toISOString(),
    reason,
    ...defined({ detail }),
  };
  return state.status === 'paused' ? [closing, resumedEvent(seq + 1, at, { by: 'system' })] : [closing];
}
