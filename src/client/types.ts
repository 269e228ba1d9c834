/** What a client sees on the wire; docs/protocol.md, sections 2 to 4. Types only: nothing of it runs. */
import type { ConversationEvent, Ending, Message } from '../conversation/log/events.ts';
import type { ConversationRequest, ConversationSettings } from '../conversation/log/settings.ts';
import type { Usage } from '../conversation/log/state.ts';
import type { TimelineEntry } from '../conversation/log/timeline.ts';

export type {
  ConversationEvent,
  ConversationRequest,
  ConversationSettings,
  Ending,
  Message,
  TimelineEntry,
  Usage,
};

export type ConversationStatus = 'queued' | 'running' | 'paused' | 'terminated';

/** An agent within a conversation; `turns` counts its own replies. */
export interface Agent {
  name: string;
  provider: string;
  model: string;
  turns: number;
  state: 'idle' | 'generating' | 'waiting';
}

/** Section 2.2. Times are ISO 8601 in UTC with milliseconds. */
export interface Conversation {
  id: string;
  topic: string;
  status: ConversationStatus;
  agents: Agent[];
  /** The number of the last turn: the replies of all agents, without the opening message. */
  turns: number;
  maxTurns: number;
  usage: Usage;
  lastSeq: number;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  termination: Ending | null;
  settings: ConversationSettings;
  metadata: ConversationSettings['metadata'];
}

/** One page of a list; hand `nextCursor` back as `cursor` for the next, null means that there is none. */
export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

export interface ProviderStatus {
  id: string;
  configured: boolean;
  defaultModel: string | null;
  models?: string[];
  /** The worst of the provider's models. */
  circuit: 'closed' | 'open' | 'half_open';
}

/** A failure as RFC 9457 puts it, with the project's `code`; section 2.5. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  instance: string;
  code: string;
  errors?: ProblemFault[];
}

/** One thing that is wrong with a request; `path` is dotted (`agents.0.name`). */
export interface ProblemFault {
  path: string;
  message: string;
}

interface FrameBase {
  conversationId: string;
  /** Hand it back to go on right after this frame. */
  cursor: string;
}

/** An entry of the log, as a stream brings it. */
export type DurableFrame = ConversationEvent & FrameBase;

interface AttemptFrame extends FrameBase {
  turn: number;
  /** Names this try at the turn; no other try ever has the same name. */
  attempt: string;
  agent: string;
}

export interface TurnStarted extends AttemptFrame {
  type: 'turn.started';
  provider: string;
  model: string;
}

export interface TurnDelta extends AttemptFrame {
  type: 'turn.delta';
  /** The text that follows on what the attempt has said so far. */
  text: string;
}

export interface TurnFailed extends AttemptFrame {
  type: 'turn.failed';
  error: string;
  /** When the turn is tried again, in milliseconds; null where it isn't. */
  retryInMs: number | null;
}

/**
 * What a stream brings, section 4. A newer server may send types that are not listed here: they come
 * through as they are, and a reader passes over them.
 */
export type StreamFrame = DurableFrame | TurnStarted | TurnDelta | TurnFailed;
