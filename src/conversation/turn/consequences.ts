import { type ConversationEvent, nudgeEvent, terminationEvent } from '../log/events.ts';
import type { ConversationState } from '../log/state.ts';
import { nudgeDue } from '../policies/nudge.ts';
import { standardConditions } from '../policies/termination.ts';

/** What follows at once from a message that takes a turn: the end, or the moderator's word about a loop. */
export function consequences(state: ConversationState, at: Date): readonly ConversationEvent[] {
  const ending = standardConditions(state, at);
  if (ending) return [terminationEvent(state.lastSeq + 1, at, ending)];
  const nudge = nudgeDue(state);
  return nudge ? [nudgeEvent(state.lastSeq + 1, at, nudge)] : [];
}
