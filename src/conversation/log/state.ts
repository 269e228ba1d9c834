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
const NONE: readonly never[] = [];

/**
 * The state after one more event. One of a type that it doesn't know changes nothing but the seq.
 *
 * @throws Error where the event is not the next one: the log is then damaged.
 */
export function apply(state: ConversationState, event: ConversationEvent): ConversationState {
  const isCopy = event.seq <= 1 + state.copies;
  const next: Writable = recordAfter(state, state.settings, event, isCopy);
  next.lastMark = markOf(event);
  change(next, event, isCopy);
  return next;
}

/** One that nobody else has yet. */
type Writable = { -readonly [Field in keyof ConversationState]: ConversationState[Field] };

function change(state: Writable, event: ConversationEvent, isCopy: boolean): void {
  switch (event.type) {
    case 'message':
      if (event.request) state.requests = new Map(state.requests).set(event.request.key, event);
      return hear(state, event.message, isCopy);
    case 'conversation.paused':
      state.pausedAt ??= Date.parse(event.at);
      return;
    case 'conversation.resumed':
      state.pausedMs += pausedUntil(state, event.at);
      state.pausedAt = undefined;
      return;
    case 'conversation.nudged':
      state.nudge = event;
      state.loops = forgive(state.loops, state.settings.termination.similarity);
      return;
    case 'message.retracted':
      return retract(state, event.target);
    case 'ballot.cast':
      state.ballots = [...state.ballots, event];
      return;
    case 'vote.closed':
      state.ballots = [];
      state.roundVoted = roundsDone(state);
      state.votes++;
      return;
    case 'verdict.given':
      state.isJudged = true;
      return;
    case 'turn.decided':
      if (event.decision === 'reject') state.rejections = [...state.rejections, event];
      return;
    default:
      return;
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

function hear(state: Writable, message: Message, isCopy: boolean): void {
  const { agents, termination } = state.settings;
  if (message.retracted || message.visibleTo) state.hidden++;
  else state.lastMessage = message;
  if (!isTurn(message, agents)) return;
  state.rejections = NONE;
  state.waiting = waitingAfter(state.waiting, message, isCopy);
  const agent = agents.findIndex(({ name }) => name === message.sender);
  if (spokenInRound(state) === 0) state.roundStart = message.seq;
  if (isCopy) state.roundVoted = roundsDone(state);
  // What was said elsewhere ends nothing here.
  if (agent < 0 || isCopy) return;
  const { content } = message;
  state.loops = observeReply(state.loops, { agent, content }, termination.similarity);
  if (state.said) state.said = observeSaid(state.said, agent, content);
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

function retract(state: Writable, seq: number): void {
  // Who spoke last is still who spoke last; what it said is shown to nobody.
  const { lastMessage } = state;
  if (lastMessage?.seq === seq) state.lastMessage = { ...lastMessage, content: '', retracted: true };
  state.waiting = new Map([...state.waiting].filter(([, message]) => message.seq !== seq));
  state.hidden++;
}

/** Milliseconds of the pause that it is in, up to a time. */
function pausedUntil({ pausedAt }: Pick<ConversationState, 'pausedAt'>, at: string): number {
  return pausedAt === undefined ? 0 : Math.max(0, Date.parse(at) - pausedAt);
}
