import type { AttemptUnderWay } from '../stream/frames.ts';
import type { LiveStage } from '../stream/live.ts';
import type { Stage } from './turn.ts';

/** Shows nothing: a question that is no turn is nobody's to watch. */
export const SILENT: Stage = {
  started: () => {},
  said: (_conversationId, attempt, text) => {
    attempt.text += text;
  },
  failed: () => {},
};

/**
 * What a member of a panel says while others before it are still heard: kept, and shown when its turn has come, as
 * if it were said only then. Attempts that failed meanwhile are never seen.
 */
export class WaitingStage implements Stage {
  readonly #live: Stage;
  /** Undefined once it is shown as it comes. */
  #kept: { attempt: AttemptUnderWay | undefined; text: string } | undefined = {
    attempt: undefined,
    text: '',
  };

  constructor(live: Pick<LiveStage, 'started' | 'said' | 'failed'>) {
    this.#live = live;
  }

  started(conversationId: string, attempt: AttemptUnderWay): void {
    if (this.#kept) this.#kept = { attempt, text: '' };
    else this.#live.started(conversationId, attempt);
  }

  said(conversationId: string, attempt: AttemptUnderWay, text: string): void {
    if (this.#kept) this.#kept.text += text;
    else this.#live.said(conversationId, attempt, text);
  }

  failed(
    conversationId: string,
    attempt: AttemptUnderWay,
    failure: { error: string; retryInMs: number | null },
  ): void {
    if (this.#kept) this.#kept = { attempt: undefined, text: '' };
    else this.#live.failed(conversationId, attempt, failure);
  }

  /** Shows what was kept, behind the log's last event, and from now on what comes. */
  open(conversationId: string, after: { lastSeq: number; lastMark: string }): void {
    const kept = this.#kept;
    this.#kept = undefined;
    if (!kept?.attempt) return;
    const { attempt, text } = kept;
    attempt.afterSeq = after.lastSeq;
    attempt.afterMark = after.lastMark;
    this.#live.started(conversationId, attempt);
    if (text !== '') this.#live.said(conversationId, attempt, text);
  }
}
