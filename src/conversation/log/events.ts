import type { Ending } from '../../protocol/ending.ts';
import {
  type ConversationEvent,
  type CreatedEvent,
  DEFAULT_TENANT,
  type MessageEvent,
  type NudgedEvent,
  type PausedEvent,
  type ResumedEvent,
  type TerminatedEvent,
} from '../../protocol/events.ts';
import type { GuardFinding } from '../../protocol/guard.ts';
import type { CallMetadata, MessageMetadata } from '../../protocol/message.ts';
import { type ConversationSettings, MODERATOR } from './settings.ts';

// What stands in a log, as the domain speaks of it.
export type { Ending, TerminationReason } from '../../protocol/ending.ts';
export type {
  BallotEvent,
  ConversationEvent,
  CreatedEvent,
  DecidedEvent,
  LoopKind,
  MessageEvent,
  NudgedEvent,
  PausedEvent,
  ProposedEvent,
  ResumedEvent,
  SpeakerChosenEvent,
  SpentEvent,
  TerminatedEvent,
  VerdictEvent,
  VoteClosedEvent,
} from '../../protocol/events.ts';
export type { Message, MessageMetadata, RemoteTask } from '../../protocol/message.ts';

/** The two events that every log begins with: the settings, then the opening message as turn 0. */
export function openingEvents(
  settings: ConversationSettings,
  now: Date,
  traceparent?: string,
  tenant: string = DEFAULT_TENANT,
  found: readonly GuardFinding[] = [],
  key?: string,
): [CreatedEvent, MessageEvent] {
  const at = now.toISOString();
  const opening = {
    turn: 0,
    sender: MODERATOR,
    role: 'moderator',
    content: settings.openingMessage,
  } as const;
  return [
    {
      seq: 1,
      type: 'conversation.created',
      at,
      settings,
      ...(traceparent ? { traceparent } : {}),
      tenant,
      ...(key === undefined ? {} : { key }),
    },
    { seq: 2, type: 'message', at, message: { seq: 2, ...opening, timestamp: at, metadata: foundIn(found) } },
  ];
}

/** What guards found, as metadata say it. */
export function foundIn(found: readonly GuardFinding[]): Pick<MessageMetadata, 'guard'> {
  return found.length > 0 ? { guard: [...found] } : {};
}

/** An agent's reply as the event with this `seq`. */
export function replyEvent(
  seq: number,
  now: Date,
  reply: { turn: number; sender: string; content: string; metadata: MessageMetadata },
): MessageEvent {
  const at = now.toISOString();
  const { turn, sender, content, metadata } = reply;
  return {
    seq,
    type: 'message',
    at,
    message: { seq, turn, sender, role: 'agent', content, timestamp: at, metadata },
  };
}

export function nudgeEvent(
  seq: number,
  now: Date,
  { kind, content }: Pick<NudgedEvent, 'kind' | 'content'>,
): NudgedEvent {
  return { seq, type: 'conversation.nudged', at: now.toISOString(), kind, content };
}

export function pausedEvent(
  seq: number,
  now: Date,
  pause: Pick<PausedEvent, 'for' | 'by'> & Partial<Pick<PausedEvent, 'agent' | 'detail' | 'now' | 'key'>>,
): PausedEvent {
  const { now: isNow, ...rest } = pause;
  // In front, where the live side looks for it.
  return {
    seq,
    type: 'conversation.paused',
    at: now.toISOString(),
    ...(isNow ? { now: true } : {}),
    ...defined(rest),
  };
}

export function resumedEvent(
  seq: number,
  now: Date,
  who: Pick<ResumedEvent, 'by'> & { key?: string | undefined },
): ResumedEvent {
  return { seq, type: 'conversation.resumed', at: now.toISOString(), ...defined(who) };
}

/**
 * What the call of a model took that an event tells of; undefined where it tells of none. Of a reply that was held
 * back, the proposal and its message tell the same.
 */
export function callIn(event: ConversationEvent): CallMetadata | undefined {
  switch (event.type) {
    case 'message':
      return event.message.role === 'agent' ? event.message.metadata : undefined;
    case 'turn.proposed':
      return event.message.metadata;
    case 'attempt.spent': {
      const { attempt, provider, model, inputTokens, outputTokens, costUsd } = event;
      return { attempt, provider, model, inputTokens, outputTokens, costUsd: costUsd ?? undefined };
    }
    case 'speaker.chosen':
    case 'ballot.cast':
    case 'verdict.given':
      // One that could not be read has none: what it took stands for itself.
      return event.metadata?.inputTokens === undefined ? undefined : event.metadata;
    default:
      return undefined;
  }
}

/** Without the fields that are undefined, which JSON leaves out, too. */
export function defined<Fields extends object>(fields: Fields): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Fields;
}

export function terminationEvent(seq: number, now: Date, { reason, detail, by }: Ending): TerminatedEvent {
  const at = now.toISOString();
  return {
    seq,
    type: 'conversation.terminated',
    at,
    reason,
    ...(detail === undefined ? {} : { detail }),
    by,
  };
}
