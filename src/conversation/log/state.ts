import { forgive, type LoopState, noLoops, observeReply } from '../policies/loops.ts';
import type {
  ConversationEvent,
  CreatedEvent,
  DecidedEvent,
  Message,
  NudgedEvent,
  ProposedEvent,
} from './events.ts';
import { markOf } from './mark.ts';
import { initialRecord, isTurn, type RecordFields, recordAfter } from './record.ts';
import type { ConversationSettings } from './settings.ts';

/** What policies and conditions may know of a conversation. It is a fold of the log and nothing else. */
export interface ConversationState extends RecordFields {
  readonly settings: ConversationSettings;
  readonly tenant: string;
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
  /** The seqs of retracted messages. */
  readonly retracted: ReadonlySet<number>;
  /** How many messages some agent may not see: the retracted, and those that are for some alone. */
  readonly hidden: number;
  /** Milliseconds that it was paused, up to the last event. */
  readonly pausedMs: number;
  /** Who was chosen to speak next and hasn't spoken since. */
  readonly chosen: string | undefined;
  /** The reply that waits for approval. */
  readonly proposal: ProposedEvent | undefined;
  /** How the last proposals of the turn that is due were decided, where they were rejected. */
  readonly rejections: readonly DecidedEvent[];
}

/** The state after the log's first event. */
function initialState(event: CreatedEvent): ConversationState {
  const { settings, at, traceparent, tenant } = event;
  return {
    ...initialRecord(settings),
    settings,
    tenant,
    createdAt: Date.parse(at),
    traceparent,
    copies: event.copies ?? 0,
    lastMark: markOf(event),
    lastMessage: undefined,
    loops: noLoops({ topic: settings.topic, names: settings.agents.map(({ name }) => name) }),
    nudge: undefined,
    retracted: NONE,
    hidden: 0,
    pausedMs: 0,
    chosen: undefined,
    proposal: undefined,
    rejections: [],
  };
}

const NONE: ReadonlySet<number> = new Set();

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
      return { ...next, ...afterMessage(state, event.message, isCopy) };
    case 'conversation.resumed':
      return { ...next, pausedMs: state.pausedMs + pausedUntil(state, event.at) };
    case 'conversation.nudged':
      return { ...next, nudge: event, loops: forgive(state.loops, state.settings.termination.similarity) };
    case 'message.retracted':
      return afterRetraction(next, event.target);
    case 'speaker.chosen':
      return { ...next, chosen: event.agent };
    case 'turn.proposed':
      return { ...next, proposal: event };
    case 'turn.decided': {
      const rejections = event.decision === 'reject' ? [...state.rejections, event] : state.rejections;
      return { ...next, proposal: undefined, rejections };
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
): Partial<ConversationState> {
  const heard: { -readonly [Field in keyof ConversationState]?: ConversationState[Field] } = {};
  if (message.retracted) heard.retracted = new Set([...state.retracted, message.seq]);
  if (message.retracted || message.visibleTo) heard.hidden = state.hidden + 1;
  else heard.lastMessage = message;
  if (!isTurn(message, state.settings.agents)) return heard;
  heard.rejections = [];
  if (state.chosen === message.sender) heard.chosen = undefined;
  const agent = state.settings.agents.findIndex(({ name }) => name === message.sender);
  // What was said elsewhere ends nothing here.
  if (agent < 0 || isCopy) return heard;
  const reply = { agent, content: message.content };
  heard.loops = observeReply(state.loops, reply, state.settings.termination.similarity);
  return heard;
}

function afterRetraction(state: ConversationState, seq: number): ConversationState {
  const retracted = new Set([...state.retracted, seq]);
  // Who spoke last is still who spoke last; what it said is shown to nobody.
  const { lastMessage } = state;
  const last = lastMessage?.seq === seq ? { ...lastMessage, content: '', retracted: true } : lastMessage;
  return { ...state, retracted, hidden: state.hidden + 1, lastMessage: last };
}

/** Milliseconds of the pause that it is in, up to a time. */
export function pausedUntil({ pause }: Pick<ConversationState, 'pause'>, at: string): number {
  return pause ? Math.max(0, Date.parse(at) - Date.parse(pause.since)) : 0;
}
