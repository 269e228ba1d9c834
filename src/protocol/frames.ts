import { z } from 'zod';
import { conversationEvent } from './events.ts';

/** What every frame has; docs/protocol.md, section 4. */
const frame = z.object({
  conversationId: z.string(),
  /** Hand it back to go on right after this frame. */
  cursor: z.string(),
});

/** An entry of the log, as a stream brings it. */
const durableFrame = z.intersection(conversationEvent, frame);

const attemptFrame = frame.extend({
  turn: z.number().int(),
  /** Names this try at the turn; no other try ever has the same name. */
  attempt: z.string(),
  agent: z.string(),
});

export const turnStarted = attemptFrame.extend({
  type: z.literal('turn.started'),
  provider: z.string(),
  model: z.string(),
});

export const turnDelta = attemptFrame.extend({
  type: z.literal('turn.delta'),
  /** The text that follows on what the attempt has said so far. */
  text: z.string(),
});

export const turnFailed = attemptFrame.extend({
  type: z.literal('turn.failed'),
  error: z.string(),
  /** When the turn is tried again, in milliseconds; null where it isn't. */
  retryInMs: z.number().nullable(),
});

/**
 * The last frame of a reader over Server-Sent Events who has had events that are gone; over a WebSocket the close
 * code says so. It has no cursor: whoever gets it begins anew.
 */
export const streamRewritten = z.object({ type: z.literal('stream.rewritten'), conversationId: z.string() });

/**
 * What a stream brings. A newer server may send types that are not listed here: they come through as they
 * are, and a reader passes over them.
 */
export const streamFrame = z.union([durableFrame, turnStarted, turnDelta, turnFailed]);

export type DurableFrame = z.input<typeof durableFrame>;
export type TurnStarted = z.infer<typeof turnStarted>;
export type TurnDelta = z.infer<typeof turnDelta>;
export type TurnFailed = z.infer<typeof turnFailed>;
export type StreamRewritten = z.infer<typeof streamRewritten>;
export type StreamFrame = z.input<typeof streamFrame>;
