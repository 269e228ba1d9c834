import type { Ending, Message, StreamFrame } from './types.ts';

/** What a reader of a stream has to show. */
export interface Transcript {
  readonly messages: readonly Message[];
  /** The attempt that is being spoken, null between turns; its text is void as soon as it fails. */
  readonly underWay: {
    readonly turn: number;
    readonly attempt: string;
    readonly agent: string;
    readonly text: string;
  } | null;
  /** Why and by whom the conversation was ended; null as long as it may go on. */
  readonly ended: Ending | null;
}

/** The transcript before the first frame. */
export const EMPTY_TRANSCRIPT: Transcript = { messages: [], underWay: null, ended: null };

/** The transcript after one more frame. Pure; a frame of a type it doesn't know changes nothing. */
export function applyFrame(transcript: Transcript, frame: StreamFrame): Transcript {
  const { underWay } = transcript;
  switch (frame.type) {
    case 'turn.started': {
      const { turn, attempt, agent } = frame;
      return { ...transcript, underWay: { turn, attempt, agent, text: '' } };
    }
    case 'turn.delta': {
      // Coming back to an attempt brings the rest of it without another turn.started; section 4.2.
      const { turn, attempt, agent } = frame;
      const before = underWay?.attempt === attempt ? underWay.text : '';
      return { ...transcript, underWay: { turn, attempt, agent, text: before + frame.text } };
    }
    case 'turn.failed':
      return underWay?.attempt === frame.attempt ? { ...transcript, underWay: null } : transcript;
    case 'message': {
      const { message } = frame;
      return {
        ...transcript,
        messages: [...transcript.messages, message],
        underWay: underWay && underWay.turn > message.turn ? underWay : null,
      };
    }
    case 'conversation.terminated': {
      const { reason, detail, by } = frame;
      const ended = { reason, ...(detail === undefined ? {} : { detail }), by };
      return { ...transcript, underWay: null, ended };
    }
    default:
      return transcript;
  }
}
