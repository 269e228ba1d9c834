import { invalid } from '../../errors.ts';
import { defined, type Message } from '../log/events.ts';
import type { Hand } from './hand.ts';

/** Takes a message out of what agents are shown (10.6). That there is such a message, the caller has seen to. */
export function retract({ seq, detail }: { seq: number; detail?: string | undefined }): Hand {
  return (draft, { at, key }) => {
    if (draft.state.retracted.includes(seq)) return;
    draft.add({
      seq: draft.nextSeq,
      type: 'message.retracted',
      at: at.toISOString(),
      target: seq,
      by: 'user',
      ...defined({ detail, key }),
    });
  };
}

/** Checks the message that is to be retracted, where there is one with this seq. */
export function assertRetractable(message: Message | undefined): asserts message is Message {
  if (!message) throw invalid([{ path: 'seq', message: 'is no seq of a message' }]);
  if (message.turn === 0 && message.role === 'moderator') {
    throw invalid([{ path: 'seq', message: 'is the opening message, which stays' }]);
  }
}
