import type { GuardFinding } from '../protocol/guard.ts';
import type { CallMetadata } from '../protocol/message.ts';
import type { LookedUp } from './knowledge/look-up.ts';
import {
  type BallotEvent,
  type ConversationEvent,
  callIn,
  type DecidedEvent,
  type Ending,
  type MessageEvent,
  type NudgedEvent,
  type PausedEvent,
  type SpeakerChosenEvent,
  type VerdictEvent,
  type VoteClosedEvent,
} from './log/events.ts';
import type { RecordFields } from './log/record.ts';
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
  /** Its call was made again, since the vendor had closed the connection that was kept. */
  | { type: 'attempt.repeated'; conversationId: string; attempt: AttemptUnderWay }
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
  /** Passages were looked up for a turn. */
  | ({ type: 'knowledge.looked_up'; conversationId: string; turn: number } & LookedUp)
  /** What a call took is in the log. */
  | { type: 'call.charged'; conversationId: string; call: CallMetadata }
  /** A model's turn is in the log. */
  | { type: 'turn.taken'; conversationId: string; event: MessageEvent }
  | { type: 'conversation.paused'; conversationId: string; event: PausedEvent }
  /** What was waited for has come, or the end; `pausedMs` since the wait began. */
  | { type: 'conversation.unpaused'; conversationId: string; for: PausedEvent['for']; pausedMs: number }
  | { type: 'speaker.chosen'; conversationId: string; event: SpeakerChosenEvent }
  | { type: 'ballot.cast'; conversationId: string; event: BallotEvent }
  /** A vote or a verdict. */
  | { type: 'outcome.reached'; conversationId: string; event: VoteClosedEvent | VerdictEvent }
  /** A reply that was held back is let through, or not. */
  | { type: 'turn.decided'; conversationId: string; event: DecidedEvent }
  | { type: 'conversation.nudged'; conversationId: string; event: NudgedEvent }
  | { type: 'conversation.ended'; conversationId: string; ending: Ending; turns: number };

/** What has happened with events that somebody appended, by the states before and behind them. */
export function happeningsIn(
  conversationId: string,
  events: readonly ConversationEvent[],
  before: Pick<RecordFields, 'pause'>,
  after: Pick<RecordFields, 'turns' | 'status'>,
): Happening[] {
  const told = events.flatMap((event) => happeningOf(conversationId, event, after.turns) ?? []);
  const { pause } = before;
  const [first] = events;
  if (!pause || !first || after.status === 'paused') return told;
  const pausedMs = Math.max(0, Date.parse(first.at) - Date.parse(pause.since));
  return [{ type: 'conversation.unpaused', conversationId, for: pause.for, pausedMs }, ...told];
}

function happeningOf(conversationId: string, event: ConversationEvent, turns: number): Happening | undefined {
  switch (event.type) {
    case 'message':
      return event.message.role === 'agent' ? { type: 'turn.taken', conversationId, event } : undefined;
    case 'conversation.nudged':
      return { type: 'conversation.nudged', conversationId, event };
    case 'conversation.paused':
      return { type: 'conversation.paused', conversationId, event };
    case 'speaker.chosen':
      return { type: 'speaker.chosen', conversationId, event };
    case 'ballot.cast':
      return { type: 'ballot.cast', conversationId, event };
    case 'vote.closed':
    case 'verdict.given':
      return { type: 'outcome.reached', conversationId, event };
    case 'turn.decided':
      return { type: 'turn.decided', conversationId, event };
    case 'conversation.terminated':
      return { type: 'conversation.ended', conversationId, ending: event, turns };
    default:
      return undefined;
  }
}

/** The calls that events of a run are charged with. */
export function chargesIn(conversationId: string, events: readonly ConversationEvent[]): Happening[] {
  return events.flatMap((event): Happening[] => {
    const call = callIn(event);
    return call ? [{ type: 'call.charged', conversationId, call }] : [];
  });
}
