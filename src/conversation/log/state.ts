import type { Usage } from '../../protocol/conversation.ts';
import { forgive, type LoopState, noLoops, observeReply } from '../policies/loops.ts';
import type { ConversationEvent, CreatedEvent, Ending, Message, NudgedEvent } from './events.ts';
import { markOf } from './mark.ts';
import type { ConversationSettings } from './settings.ts';

/** What policies and conditions may know of a conversation. It is a fold of the log and nothing else. */
export interface ConversationState {
  readonly settings: ConversationSettings;
  readonly status: 'running' | 'paused' | 'terminated';
  readonly createdAt: number;
  /** Of the span that made it. */
  readonly traceparent: string | undefined;
  readonly lastSeq: number;
  /** Of that event, for cursors. */
  readonly lastMark: string;
  /** The number of the last turn; 0 after the opening message. */
  readonly turns: number;
  readonly usage: Usage;
  readonly lastMessage: Message | undefined;
  readonly agents: readonly AgentState[];
  readonly loops: LoopState;
  /** The moderator's word about a loop, once it was said. */
  readonly nudge: NudgedEvent | undefined;
  readonly ending: Ending | undefined;
}

export interface AgentState {
  readonly name: string;
  readonly turns: number;
}

/** The usage of a conversation in which nobody has spoken. */
export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0, costUsd: 0 };

/** Adds what one reply took. A reply without a price makes the sum unknown from there on. */
export function addUsage(usage: Usage, { metadata }: Message): Usage {
  const { inputTokens = 0, outputTokens = 0, costUsd } = metadata;
  return {
    inputTokens: usage.inputTokens + inputTokens,
    outputTokens: usage.outputTokens + outputTokens,
    totalTokens: usage.totalTokens + inputTokens + outputTokens,
    costUsd: usage.costUsd === null || costUsd === undefined ? null : usage.costUsd + costUsd,
  };
}

/** The state after the log's first event. */
function initialState(event: CreatedEvent): ConversationState {
  const { settings, at, seq, traceparent } = event;
  return {
    settings,
    status: 'running',
    createdAt: Date.parse(at),
    traceparent,
    lastSeq: seq,
    lastMark: markOf(event),
    turns: 0,
    usage: NO_USAGE,
    lastMessage: undefined,
    agents: settings.agents.map(({ name }) => ({ name, turns: 0 })),
    loops: noLoops({ topic: settings.topic, names: settings.agents.map(({ name }) => name) }),
    nudge: undefined,
    ending: undefined,
  };
}

/**
 * The state after one more event. One of a type that it doesn't know changes nothing but the seq.
 *
 * @throws Error where the event is not the next one: the log is then damaged.
 */
export function apply(state: ConversationState, event: ConversationEvent): ConversationState {
  if (event.seq !== state.lastSeq + 1) {
    throw new Error(`event ${event.seq} can't follow event ${state.lastSeq}`);
  }
  const last = { lastSeq: event.seq, lastMark: markOf(event) };
  switch (event.type) {
    case 'message':
      return { ...state, ...last, ...afterMessage(state, event.message) };
    case 'conversation.paused':
      return { ...state, ...last, status: 'paused' };
    case 'conversation.resumed':
      return { ...state, ...last, status: 'running' };
    case 'conversation.nudged': {
      const loops = forgive(state.loops, state.settings.termination.similarity);
      return { ...state, ...last, nudge: event, loops };
    }
    case 'conversation.terminated':
      return { ...state, ...last, status: 'terminated', ending: event };
    case 'conversation.created':
      throw new Error('a log has one beginning');
    default:
      return { ...state, ...last };
  }
}

/** Folds events onto a state; undefined is the state before the first. */
export function fold(
  state: ConversationState | undefined,
  events: Iterable<ConversationEvent>,
): ConversationState | undefined {
  for (const event of events) {
    if (state) state = apply(state, event);
    else if (event.type === 'conversation.created') state = initialState(event);
    else throw new Error(`a log can't begin with ${event.type}`);
  }
  return state;
}

function afterMessage(state: ConversationState, message: Message): Partial<ConversationState> {
  if (message.role !== 'agent') return { lastMessage: message };
  const speaker = state.agents.findIndex(({ name }) => name === message.sender);
  const agent = state.agents[speaker];
  const heard = { turns: message.turn, lastMessage: message, usage: addUsage(state.usage, message) };
  if (!agent) return heard;
  const reply = { agent: speaker, content: message.content };
  return {
    ...heard,
    agents: state.agents.with(speaker, { name: agent.name, turns: agent.turns + 1 }),
    loops: observeReply(state.loops, reply, state.settings.termination.similarity),
  };
}
