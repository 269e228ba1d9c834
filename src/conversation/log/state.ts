import { forgive, type LoopState, noLoops, observeReply } from '../policies/loops.ts';
import { nothingSaid, observeSaid, type SaidState } from '../policies/said.ts';
import { spokenInRound } from '../policies/turn/panel.ts';
import { roundsDone } from '../policies/turn/turn-policy.ts';
import type {
  BallotEvent,
  ConversationEvent,
  CreatedEvent,
  DecidedEvent,
  Message,
  MessageEvent,
  NudgedEvent,
} from './events.ts';
import { markOf } from './mark.ts';
import { initialRecord, isTurn, type RecordFields, recordAfter } from './record.ts';
import type { ConversationSettings } from './settings.ts';

/** What policies and conditions may know of a conversation. It is a fold of the log and nothing else. */
export interface ConversationState extends RecordFields {
  readonly settings: ConversationSettings;
  readonly tenant: string;
  /** The name of the API key that made it. */
  readonly key: string | undefined;
  readonly createdAt: number;
  /** Of the span that made it. */
  readonly traceparent: string | undefined;
  /** How many messages behind the first event are another conversation's. */
  readonly copies: number;
  /** Of the last event, for cursors. */
  readonly lastMark: string;
  /** The last message that is not retracted and that all may see. */
  readonly lastMessage: Message | undefined;
  readonly loops: LoopState;
  /** The moderator's word about a loop, once it was said. */
  readonly nudge: NudgedEvent | undefined;
  /** How many messages some agent may not see: the retracted, and those that are for some alone. */
  readonly hidden: number;
  /** Since when it is paused, in milliseconds since 1970. */
  readonly pausedAt: number | undefined;
  /** Milliseconds of the pauses that are over. */
  readonly pausedMs: number;
  /** How the last proposals of the turn that is due were decided, where they were rejected. */
  readonly rejections: readonly DecidedEvent[];
  /** The messages that came with an idempotency key, by its hash. */
  readonly requests: ReadonlyMap<string, MessageEvent>;
  /** The messages of agents that asked for input by a task of theirs, by the agent's name. */
  readonly waiting: ReadonlyMap<string, Message>;
  /** What was said of the texts that an end is made of. */
  readonly said: SaidState | undefined;
  /** Of the vote that is being held. */
  readonly ballots: readonly BallotEvent[];
  /** How many votes are closed, and behind how many rounds of all agents the last was. */
  readonly votes: number;
  readonly roundVoted: number;
  /** A verdict was given. */
  readonly isJudged: boolean;
  /** The seq of the last turn of the round before this one, of a panel. */
  readonly roundStart: number;
}

/** The state after the log's first event. */
function initialState(event: CreatedEvent): ConversationState {
  const { settings, at, traceparent, tenant, key } = event;
  return {
    ...initialRecord(settings),
    settings,
    tenant,
    key,
    createdAt: Date.parse(at),
    traceparent,
    copies: event.copies ?? 0,
    lastMark: markOf(event),
    lastMessage: undefined,
    loops: noLoops({ topic: settings.topic, names: settings.agents.map(({ name }) => name) }),
    nudge: undefined,
    hidden: 0,
    pausedAt: undefined,
    pausedMs: 0,
    requests: NO_REQUESTS,
    waiting: NOBODY_WAITS,
    said: nothingSaid(settings),
    ballots: [],
    votes: 0,
    roundVoted: 0,
    isJudged: false,
    roundStart: 1,
    rejections: [],
  };
}

const NO_REQUESTS: ConversationState['requests'] = new Map();
const NOBODY_WAITS: ConversationState['waiting'] = new Map();

/**
 * The state after one more event. One of a type that it doesn't know changes nothing but the seq.
 *
 * @throws Error where the event is not the next one: the log is then damaged.
 */
export function apply(state: ConversationState, event: ConversationEvent): ConversationState {
  const isCopy = event.seq <= 1 + state.copies;
  const next = { ...recordAfter(state, state.settings, event, isCopy), lastMark: markOf(event) };
  switch (event.type) {
    case 'message':
      return {
        ...next,
        ...afterMessage(state, event.message, isCopy, next),
        requests: afterRequest(state, event),
      };
    case 'conversation.paused':
      return { ...next, pausedAt: state.pausedAt ?? Date.parse(event.at) };
    case 'conversation.resumed':
      return { ...next, pausedAt: undefined, pausedMs: state.pausedMs + pausedUntil(state, event.at) };
    case 'conversation.nudged':
      return { ...next, nudge: event, loops: forgive(state.loops, state.settings.termination.similarity) };
    case 'message.retracted':
      return afterRetraction(next, event.target);
    case 'ballot.cast':
      return { ...next, ballots: [...state.ballots, event] };
    case 'vote.closed':
      return { ...next, ballots: [], roundVoted: roundsDone(next), votes: state.votes + 1 };
    case 'verdict.given':
      return { ...next, isJudged: true };
    case 'turn.decided': {
      const rejections = event.decision === 'reject' ? [...state.rejections, event] : state.rejections;
      return { ...next, rejections };
    }
    default:
      return next;
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

function afterMessage(
  state: ConversationState,
  message: Message,
  isCopy: boolean,
  { turns, agentTurns }: RecordFields,
): Partial<ConversationState> {
  const heard: { -readonly [Field in keyof ConversationState]?: ConversationState[Field] } = {};
  if (message.retracted || message.visibleTo) heard.hidden = state.hidden + 1;
  else heard.lastMessage = message;
  if (!isTurn(message, state.settings.agents)) return heard;
  heard.rejections = [];
  heard.waiting = waitingAfter(state.waiting, message, isCopy);
  const agent = state.settings.agents.findIndex(({ name }) => name === message.sender);
  if (spokenInRound({ settings: state.settings, turns }) === 0) heard.roundStart = message.seq;
  if (isCopy) heard.roundVoted = roundsDone({ settings: state.settings, agentTurns });
  // What was said elsewhere ends nothing here.
  if (agent < 0 || isCopy) return heard;
  const reply = { agent, content: message.content };
  heard.loops = observeReply(state.loops, reply, state.settings.termination.similarity);
  if (state.said) heard.said = observeSaid(state.said, agent, message.content);
  return heard;
}

/** A task that a fork's copy came from is the original's. */
function waitingAfter(
  waiting: ConversationState['waiting'],
  message: Message,
  isCopy: boolean,
): ConversationState['waiting'] {
  const asks = !isCopy && !message.retracted && message.metadata.task?.state === 'input_required';
  if (!asks && !waiting.has(message.sender)) return waiting;
  const after = new Map(waiting);
  after.delete(message.sender);
  return asks ? after.set(message.sender, message) : after;
}

function afterRetraction(state: ConversationState, seq: number): ConversationState {
  // Who spoke last is still who spoke last; what it said is shown to nobody.
  const { lastMessage } = state;
  const last = lastMessage?.seq === seq ? { ...lastMessage, content: '', retracted: true } : lastMessage;
  const waiting = new Map([...state.waiting].filter(([, message]) => message.seq !== seq));
  return { ...state, hidden: state.hidden + 1, lastMessage: last, waiting };
}

function afterRequest(state: ConversationState, event: MessageEvent): ConversationState['requests'] {
  return event.request ? new Map(state.requests).set(event.request.key, event) : state.requests;
}

/** Milliseconds of the pause that it is in, up to a time. */
function pausedUntil({ pausedAt }: Pick<ConversationState, 'pausedAt'>, at: string): number {
  return pausedAt === undefined ? 0 : Math.max(0, Date.parse(at) - pausedAt);
}
