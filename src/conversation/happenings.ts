import type { GuardFinding } from '../protocol/guard.ts';
import type { CallMetadata } from '../protocol/message.ts';
import {
  type ConversationEvent,
  callIn,
  type Ending,
  type MessageEvent,
  type NudgedEvent,
  type PausedEvent,
} from './log/events.ts';
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
  /** Guards found something in what a model said. */
  | { type: 'guard.found'; conversationId: string; found: readonly GuardFinding[] }
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
  /** What a call took is in the log. */
  | { type: 'call.charged'; conversationId: string; call: CallMetadata }
  /** A model's turn is in the log. */
  | { type: 'turn.taken'; conversationId: string; event: MessageEvent }
  | { type: 'conversation.paused'; conversationId: string; event: PausedEvent }
  | { type: 'conversation.nudged'; conversationId: string; event: NudgedEvent }
  | { type: 'conversation.ended'; conversationId: string; ending: Ending; turns: number };

/** What has happened with events that somebody appended, `turns` behind them. */
export function happeningsIn(
  conversationId: string,
  events: readonly ConversationEvent[],
  turns: number,
): Happening[] {
  return events.flatMap((event): Happening[] => {
    switch (event.type) {
      case 'message':
        return event.message.role === 'agent' ? [{ type: 'turn.taken', conversationId, event }] : [];
      case 'conversation.nudged':
        return [{ type: 'conversation.nudged', conversationId, event }];
      case 'conversation.paused':
        return [{ type: 'conversation.paused', conversationId, event }];
      case 'conversation.terminated':
        return [{ type: 'conversation.ended', conversationId, ending: event, turns }];
      default:
        return [];
    }
  });
}

/** The calls that events of a run are charged with. */
export function chargesIn(conversationId: string, events: readonly ConversationEvent[]): Happening[] {
  return events.flatMap((event): Happening[] => {
    const call = callIn(event);
    return call ? [{ type: 'call.charged', conversationId, call }] : [];
  });
}
