import { pausedEvent, resumedEvent } from '../log/events.ts';
import { conflict, type Hand } from './hand.ts';

/**
 * Pauses for the user (10.1). While something else is waited for, it holds behind that.
 *
 * @param now whether the turn under way is cut off, too
 */
export function pause({ detail, now }: { detail?: string | undefined; now?: boolean | undefined }): Hand {
  return (draft, { at, key }) => {
    const { pause: standing } = draft.state;
    if (standing?.for === 'user' || standing?.behind) return;
    draft.add(pausedEvent(draft.nextSeq, at, { for: 'user', by: 'user', detail, now, key }));
  };
}

/** Goes on behind a pause of the user's (10.1). */
export const resume: Hand = (draft, { at, key }) => {
  const { pause: standing } = draft.state;
  if (standing?.for === 'user') return draft.add(resumedEvent(draft.nextSeq, at, { by: 'user', key }));
  if (!standing) throw conflict('The conversation is not paused');
  throw conflict(
    standing.for === 'human'
      ? `It is ${standing.agent} that is waited for: say something with /messages, or choose another with /next`
      : 'A reply waits for approval: decide with /approval',
  );
};
