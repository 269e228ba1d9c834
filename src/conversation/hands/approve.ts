import { invalid } from '../../errors.ts';
import type { GuardFinding } from '../../protocol/guard.ts';
import type { Draft } from '../log/draft.ts';
import { type DecidedEvent, defined, foundIn, pausedEvent, resumedEvent } from '../log/events.ts';
import { addConsequences } from '../turn/consequences.ts';
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
  return (draft, { at, key }) => {
    const { state } = draft;
    const { proposal } = state;
    if (!proposal || state.pause?.for !== 'approval') throw conflict('No reply waits for approval');
    if (seq !== undefined && seq !== proposal.seq) {
      throw conflict(`It is the proposal with seq ${proposal.seq} that waits for approval`);
    }
    if (decision === 'edit' && content === undefined) {
      throw invalid([{ path: 'content', message: 'is needed for an edit' }]);
    }
    const isEdit = decision === 'edit';
    const decided = (): DecidedEvent => ({
      seq: draft.nextSeq,
      type: 'turn.decided',
      at: at.toISOString(),
      turn: proposal.turn,
      decision,
      by: 'user',
      ...defined({ content: isEdit ? content : undefined, detail, key }),
    });
    if (decision === 'reject') {
      const isLast = (state.rejections.length + 1) % MOST_REJECTIONS === 0;
      if (isLast && !state.pause.behind) {
        const detail = `${MOST_REJECTIONS} replies to turn ${proposal.turn} were rejected`;
        const { sender: agent } = proposal.message;
        draft.add(pausedEvent(draft.nextSeq, at, { for: 'user', by: 'system', agent, detail }));
      }
      draft.add(decided());
      return goOn(draft, at);
    }
    const proposed = proposal.message;
    const { guard: _proposed, ...metadata } = proposed.metadata;
    const edited = { content: content ?? '', metadata: { ...metadata, ...foundIn(found), edited: true } };
    draft.add(decided());
    const { nextSeq: number } = draft;
    const message = { seq: number, ...proposed, ...(isEdit ? edited : {}) };
    draft.add({ seq: number, type: 'message', at: at.toISOString(), message });
    addConsequences(draft, at);
    goOn(draft, at);
  };
}

/** Adds the end of the wait, where nothing else holds. */
function goOn(draft: Draft, at: Date): void {
  const { status, pause } = draft.state;
  const isWaitOver = status === 'paused' && pause?.for === 'approval';
  if (isWaitOver) draft.add(resumedEvent(draft.nextSeq, at, { by: 'user' }));
}
