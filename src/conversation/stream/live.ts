import type { LogEntry } from '../log/log.ts';
import type { AttemptUnderWay, Frame } from './frames.ts';

/** An attempt as it is at one point among the frames, with its text so far; it doesn't change. */
export interface Snapshot {
  readonly underWay: Readonly<AttemptUnderWay>;
}

/**
 * What a listener hears. `behind`: something may have been lost, and has to be read from the log.
 * `removed`: nothing follows.
 */
export type LiveItem = Frame | Snapshot | 'behind' | 'removed';

/** Of which attempt something tells; undefined for events of the log. */
export function attemptOf(item: Frame | Snapshot): AttemptUnderWay | undefined {
  return 'underWay' in item ? item.underWay : item.attempt;
}

export type LiveListener = (item: LiveItem) => void;

/** What a stream needs of the live side; the history comes from the queue. */
export interface LiveFeed {
  /**
   * Has every frame of a conversation go to the listener, in order. Fulfilled once that is certain; items may
   * come before that, too. What is under way comes as a snapshot among the frames, at once or, from another
   * instance, soon; nothing is said where nothing is under way. Rejects where there is no listening now.
   */
  follow(conversationId: string, listener: LiveListener): Promise<{ stop: () => void }>;
}

/** What the orchestrator tells those who watch, and what it is told. */
export interface LiveStage {
  started(conversationId: string, attempt: AttemptUnderWay): void;
  /** Adds to the attempt's text, and shows what was added. */
  said(conversationId: string, attempt: AttemptUnderWay, text: string): void;
  failed(
    conversationId: string,
    attempt: AttemptUnderWay,
    failure: { error: string; retryInMs: number | null },
  ): void;
  /**
   * Calls back when the conversation is ended or removed by whomever, once, and each time that somebody makes the
   * turn under way void. Fulfilled once that is certain: whoever reads the log after that misses no end. Rejects
   * where there is no listening now.
   */
  onStop(
    conversationId: string,
    callback: (why: 'ended' | 'interrupted') => void,
  ): Promise<{ stop: () => void }>;
}

/** Whether an event makes the turn under way void (10.1, 10.2). What says so stands in front of its texts. */
export function interrupts({ type, json }: LogEntry): boolean {
  if (type === 'message') return json.slice(0, FRONT).includes('"interrupt":true');
  return type === 'conversation.paused' && json.slice(0, FRONT).includes('"now":true');
}

/** Characters: more than seq, type and time take. */
const FRONT = 120;

/** What the storage announces, after it is durable. */
export interface LiveAnnouncer {
  appended(conversationId: string, entries: readonly LogEntry[]): void;
  removed(conversationId: string): void;
}
