import type { Conversation, StreamFrame } from '../../client/types.ts';

/** The conversation as a frame leaves it, as far as the frame says; the server says the rest a moment later. */
export function patched(conversation: Conversation, frame: StreamFrame): Conversation {
  if (!('seq' in frame) || frame.seq <= conversation.lastSeq) return conversation;
  const next = { ...conversation, lastSeq: frame.seq };
  switch (frame.type) {
    case 'conversation.paused': {
      const { at, agent, detail } = frame;
      const pause: NonNullable<Conversation['pause']> = {
        for: frame.for ?? 'user',
        since: at,
        by: frame.by ?? 'user',
      };
      if (agent !== undefined) pause.agent = agent;
      if (detail !== undefined) pause.detail = detail;
      return { ...next, status: 'paused', pause };
    }
    case 'conversation.resumed':
      return { ...next, status: 'running', pause: null };
    case 'message':
      return { ...next, turns: Math.max(conversation.turns, frame.message.turn) };
    case 'conversation.terminated': {
      const { reason, detail, by, at } = frame;
      const termination = { reason, by, ...(detail === undefined ? {} : { detail }) };
      return { ...next, status: 'terminated', pause: null, endedAt: at, termination };
    }
    default:
      return next;
  }
}
