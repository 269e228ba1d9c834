import { invalid } from '../../errors.ts';
import type { GuardFinding } from '../../protocol/guard.ts';
import {
  type ConversationEvent,
  type DecidedEvent,
  defined,
  foundIn,
  pausedEvent,
  resumedEvent,
} from '../log/events.ts';
import { apply, type ConversationState } from '../log/state.ts';
import { consequences } from '../turn/consequences.ts';
import { conflict, type Hand } from './hand.ts';

/** A decision about a reply that is held back; docs/protocol.md, section 10.4. */
export interface Approval {
  decision: 'approve' | 'edit' | 'reject';
  content?: string | undefined;
  detail?: string | undefined;
  /** Of the proposal that is meant. */
  seq?: number | undefined;
  /** What guards found in the content. */
  found?: readonly GuardFinding[] | undefined;
}

/** Rejections of a turn behind which the user is asked what is to be done. */
const MOST_REJECTIONS = 3;

/** Lets the reply through that is held back, as it is or edited, or has the turn be spoken anew. */
export function approve({ decision, content, detail, seq, found = [] }: Approval): Hand {
  return (state, { at, key }) => {
    const { proposal, lastSeq } = state;
    if (!proposal || state.pause?.for !== 'approval') throw conflict('No reply waits for approval');
    if (seq !== undefined && seq !== proposal.seq) {
      throw conflict(`It is the proposal with seq ${proposal.seq} that waits for approval`);
    }
    if (decision === 'edit' && content === undefined) {
      throw invalid([{ path: 'content', message: 'is needed for an edit' }]);
    }
    const isEdit = decision === 'edit';
    const decided = (number: number): DecidedEvent => ({
      seq: number,
      type: 'turn.decided',
      at: at.toISOString(),
      turn: proposal.turn,
      decision,
      by: 'user',
      ...defined({ content: isEdit ? content : undefined, detail, key }),
    });
    if (decision === 'reject') {
      const isLast = (state.rejections.length + 1) % MOST_REJECTIONS === 0;
      const asking = pausedEvent(lastSeq + 1, at, {
        for: 'user',
        by: 'system',
        agent: proposal.message.sender,
        detail: `${MOST_REJECTIONS} replies to turn ${proposal.turn} were rejected`,
      });
      const isAsked = isLast && !state.pause.behind;
      return goingOn(state, isAsked ? [asking, decided(lastSeq + 2)] : [decided(lastSeq + 1)], at);
    }
    const proposed = proposal.message;
    const { guard: _proposed, ...metadata } = proposed.metadata;
    const edited = { content: content ?? '', metadata: { ...metadata, ...foundIn(found), edited: true } };
    const said: ConversationEvent = {
      seq: lastSeq + 2,
      type: 'message',
      at: at.toISOString(),
      message: { seq: lastSeq + 2, ...proposed, ...(isEdit ? edited : {}) },
    };
    const events = [decided(lastSeq + 1), said];
    const after = events.reduce<ConversationState>(apply, state);
    return goingOn(state, [...events, ...consequences(after, at)], at);
  };
}

/** With the end of the wait, where nothing else holds. */
function goingOn(
  before: ConversationState,
  events: readonly ConversationEvent[],
  at: Date,
): readonly ConversationEvent[] {
  const after = events.reduce<ConversationState>(apply, before);
  if (after.status !== 'paused' || after.pause?.for !== 'approval') return events;
  return [...events, resumedEvent(after.lastSeq + 1, at, { by: 'user' })];
}
