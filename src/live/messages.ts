import type { LogEntry } from '../conversation/log/log.ts';
import type { AttemptUnderWay } from '../conversation/stream/frames.ts';

/**
 * What instances tell each other on the channel of a conversation, as JSON. `origin` is the instance that says
 * it. The storage publishes `entries` and `removed`, in the same script that makes them durable; whoever runs
 * the conversation publishes its attempt; whoever watches it publishes `watch`. A reader ignores what it
 * doesn't know, so that instances of two versions can stand side by side.
 */
export type LiveMessage = { origin: string } & (
  | { entries: LogEntry[] }
  | { removed: true }
  /** `renew`: only those who answer with `watch` hear the next attempt start. */
  | { started: Omit<AttemptUnderWay, 'text'>; renew: boolean }
  | { snapshot: AttemptUnderWay }
  | { delta: Delta }
  | { failed: { attempt: string; error: string; retryInMs: number | null } }
  /** The attempt that the watcher follows without a gap; null where it needs a snapshot of what is under way. */
  | { watch: string | null }
);

/** A piece of an attempt, which begins `from` UTF-16 units into it. */
export interface Delta {
  attempt: string;
  afterSeq: number;
  from: number;
  text: string;
}

/** All but the origin, which the sender adds. */
export type Said = LiveMessage extends infer One
  ? One extends LiveMessage
    ? Omit<One, 'origin'>
    : never
  : never;

/** The channel of a conversation; in braces what a Redis Cluster makes the slot of. */
export function liveChannel(prefix: string, conversationId: string): string {
  return `{${prefix}:conversation:${conversationId}}:live`;
}

/** The conversation that a channel is of; undefined where it is of none. */
export function conversationOf(prefix: string, channel: string): string | undefined {
  const head = `{${prefix}:conversation:`;
  const tail = '}:live';
  if (!channel.startsWith(head) || !channel.endsWith(tail)) return undefined;
  return channel.slice(head.length, -tail.length);
}

/** The origin comes first, so that an instance knows what it said itself without reading all of it. */
export function writeMessage(origin: string, message: Said): string {
  return JSON.stringify({ origin, ...message });
}

/** Undefined for what was said by the reader itself, and for what is no message. */
export function readMessage(reader: string, text: string): LiveMessage | undefined {
  if (text.startsWith(`{"origin":${JSON.stringify(reader)}`)) return undefined;
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof message !== 'object' || message === null || !('origin' in message)) return undefined;
  return message.origin === reader ? undefined : (message as LiveMessage);
}
