import type { Ending, MessageEvent, NudgedEvent } from './log/events.ts';
import type { ModelChoice } from './log/settings.ts';
import type { AttemptUnderWay } from './stream/frames.ts';
import type { Answer } from './turn/attempt.ts';
import type { ProviderError } from './turn/provider.ts';

/** What happens in a conversation, for those who count and write it down. All times are milliseconds. */
export type Happening =
  /** Its first run begins; `waitedMs` since it was made. */
  | { type: 'conversation.started'; conversationId: string; waitedMs: number }
  | { type: 'conversation.resumed'; conversationId: string; turns: number }
  /** `waitedMs` for the circuit, the rate limits and a place. */
  | { type: 'attempt.started'; conversationId: string; attempt: AttemptUnderWay; waitedMs: number }
  | { type: 'attempt.succeeded'; conversationId: string; attempt: AttemptUnderWay; answer: Answer }
  | {
      type: 'attempt.failed';
      conversationId: string;
      attempt: AttemptUnderWay;
      error: ProviderError;
      latencyMs: number;
      /** Until the next attempt at the turn; null where there is none. */
      retryInMs: number | null;
    }
  | {
      type: 'attempt.abandoned';
      conversationId: string;
      attempt: AttemptUnderWay;
      why: string;
      latencyMs: number;
    }
  /** Another model takes over an agent's turn; `why` is the failure or the ending that made it. */
  | {
      type: 'turn.fell_back';
      conversationId: string;
      turn: number;
      agent: string;
      from: ModelChoice;
      to: ModelChoice;
      why: string;
    }
  | { type: 'turn.taken'; conversationId: string; event: MessageEvent }
  | { type: 'conversation.nudged'; conversationId: string; event: NudgedEvent }
  | { type: 'conversation.ended'; conversationId: string; ending: Ending; turns: number };
