import type { Usage } from '../../protocol/conversation.ts';
import type { CallMetadata } from '../../protocol/message.ts';
import { namesIn } from '../policies/turn/mentions.ts';
import {
  type ConversationEvent,
  callIn,
  type Ending,
  type Message,
  type PausedEvent,
  type ProposedEvent,
} from './events.ts';
import type { ConversationSettings } from './settings.ts';

/** What is waited for, and since when; ISO 8601. */
export interface Pause {
  for: 'user' | 'human' | 'approval';
  since: string;
  by: 'user' | 'system';
  agent?: string | undefined;
  detail?: string | undefined;
  /** The user's, where one came while a person or a decision was waited for: it holds behind that. */
  behind?: Pause | undefined;
}

/** The last vote or verdict; its event without what every event has. */
export type Outcome = { type: 'vote' | 'consensus' | 'verdict' } & Record<string, unknown>;

/**
 * What is known of a conversation without reading its log: the part of the fold that is stored with each append
 * (docs/protocol.md, section 2.2).
 */
export interface RecordFields {
  status: 'running' | 'paused' | 'terminated';
  lastSeq: number;
  /** Who sent the last message. */
  lastSender: string;
  /** The agent that took the last turn; null before the first, and in what releases without it wrote. */
  lastSpeaker: string | null;
  /** The number of the last turn; 0 after the opening message. */
  turns: number;
  /** The turns of each agent, in the order of the settings. */
  agentTurns: readonly number[];
  usage: Usage;
  endedAt: string | null;
  ending: Ending | null;
  pause: Pause | null;
  outcome: Outcome | null;
  /** The seqs of retracted messages, in the order of their retraction. */
  retracted: readonly number[];
  /** The reply that waits for approval, or has just been let through. */
  proposal: ProposedEvent | null;
  /** The agents that the last message names as `@NAME`, in its order; of those that all may see. */
  named: readonly string[];
  /** Who was chosen to speak next, by a person or a model, and hasn't spoken since. */
  chosen: string | null;
  /** The end is certain, and its reason fixed; what is to be decided follows. */
  closing: Pick<Ending, 'reason' | 'detail'> | null;
}

/** What few conversations have; kept as one. */
export type RecordDetails = Pick<
  RecordFields,
  'pause' | 'outcome' | 'retracted' | 'proposal' | 'named' | 'chosen' | 'closing'
>;

const NO_DETAILS: RecordDetails = {
  pause: null,
  outcome: null,
  retracted: [],
  proposal: null,
  named: [],
  chosen: null,
  closing: null,
};

/** The details of a record as JSON; undefined where it has none. */
export function writeDetails(details: RecordDetails): string | undefined {
  const { pause, outcome, retracted, proposal, named, chosen, closing } = details;
  const hasNone = !pause && !outcome && !proposal && chosen === null && !closing;
  if (hasNone && retracted.length === 0 && named.length === 0) return undefined;
  return JSON.stringify({ pause, outcome, retracted, proposal, named, chosen, closing });
}

/** What `writeDetails` wrote, or an older release that knew fewer of them; nothing where it is empty. */
export function readDetails(json: string | null | undefined): RecordDetails {
  return json ? { ...NO_DETAILS, ...(JSON.parse(json) as Partial<RecordDetails>) } : NO_DETAILS;
}

/** A conversation as the catalog knows it. */
export interface ConversationRecord extends Omit<RecordFields, 'status'> {
  id: string;
  tenant: string;
  /** `queued` is the runner's live state: no event says it. */
  status: 'queued' | RecordFields['status'];
  settings: ConversationSettings;
  createdAt: string;
  startedAt: string | null;
  forkedFrom: { id: string; seq: number } | null;
}

/** The usage of a conversation in which nobody has spoken. */
export const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0, totalTokens: 0, costUsd: 0 };

/** With what a call took; without a price it makes the sum's cost unknown from there on. */
export function addUsage(usage: Usage, { inputTokens = 0, outputTokens = 0, costUsd }: CallMetadata): Usage {
  return {
    inputTokens: usage.inputTokens + inputTokens,
    outputTokens: usage.outputTokens + outputTokens,
    totalTokens: usage.totalTokens + inputTokens + outputTokens,
    costUsd: usage.costUsd === null || costUsd === undefined ? null : usage.costUsd + costUsd,
  };
}

/** The record behind a log's first event. */
export function initialRecord({ agents }: ConversationSettings): RecordFields {
  return {
    status: 'running',
    lastSeq: 1,
    lastSender: '',
    lastSpeaker: null,
    turns: 0,
    agentTurns: agents.map(() => 0),
    usage: NO_USAGE,
    endedAt: null,
    ending: null,
    ...NO_DETAILS,
  };
}

/**
 * The record after one more event: the one place where events become what is stored beside the log. An event of
 * a type that it doesn't know changes nothing but the seq.
 *
 * @param isCopy of a fork's message, which was paid for in the conversation that it comes from
 * @throws Error where the event is not the next one: the log is then damaged
 */
export function recordAfter<Fields extends RecordFields>(
  record: Fields,
  settings: ConversationSettings,
  event: ConversationEvent,
  isCopy = false,
): Fields {
  if (event.seq !== record.lastSeq + 1) {
    throw new Error(`event ${event.seq} can't follow event ${record.lastSeq}`);
  }
  // Copied once and then written to, since spreading what has changed over it would cost several times as much.
  const next = { ...record };
  next.lastSeq = event.seq;
  next.usage = usageAfter(record, event, isCopy);
  change(next, settings, event);
  return next;
}

/** Every call is charged once: a reply that was held back with its proposal, a copy where it comes from. */
function usageAfter({ usage, proposal }: RecordFields, event: ConversationEvent, isCopy: boolean): Usage {
  const isCharged = event.type === 'message' && (isCopy || proposal !== null);
  const call = isCharged ? undefined : callIn(event);
  return call ? addUsage(usage, call) : usage;
}

function change(record: RecordFields, settings: ConversationSettings, event: ConversationEvent): void {
  switch (event.type) {
    case 'message':
      return hear(record, settings, event.message);
    case 'speaker.chosen':
      record.chosen = event.agent;
      return;
    case 'conversation.closing': {
      const { reason, detail } = event;
      record.closing = { reason, ...(detail === undefined ? {} : { detail }) };
      return;
    }
    case 'verdict.given':
      record.outcome = outcomeOf(event, 'verdict');
      return;
    case 'vote.closed':
      record.outcome = outcomeOf(event, event.method === 'consensus' ? 'consensus' : 'vote');
      return;
    case 'conversation.paused':
      record.status = 'paused';
      record.pause = pauseAfter(record.pause, event);
      return;
    case 'conversation.resumed':
      record.status = 'running';
      record.pause = null;
      return;
    case 'conversation.terminated': {
      const { reason, detail, by } = event;
      record.status = 'terminated';
      record.ending = { reason, ...(detail === undefined ? {} : { detail }), by };
      record.endedAt = event.at;
      record.pause = null;
      return;
    }
    case 'message.retracted':
      record.retracted = [...record.retracted, event.target];
      return;
    case 'turn.proposed':
      record.proposal = event;
      return;
    case 'turn.decided':
      record.pause = behindWait(record.pause, 'approval');
      // One that is let through is charged already, as its message is going to ask.
      if (event.decision === 'reject') record.proposal = null;
      return;
    case 'conversation.created':
      throw new Error('a log has one beginning');
    default:
      return;
  }
}

function hear(record: RecordFields, settings: ConversationSettings, message: Message): void {
  const { agents } = settings;
  record.named = namedBy(settings, message, record);
  record.lastSender = message.sender;
  if (message.retracted) record.retracted = [...record.retracted, message.seq];
  if (!isTurn(message, agents)) return;
  const speaker = agents.findIndex(({ name }) => name === message.sender);
  record.lastSpeaker = message.sender;
  record.turns = message.turn;
  if (speaker >= 0) {
    record.agentTurns = record.agentTurns.with(speaker, (record.agentTurns[speaker] ?? 0) + 1);
  }
  if (message.role === 'human') record.pause = behindWait(record.pause, 'human');
  record.proposal = null;
  if (record.chosen === message.sender) record.chosen = null;
}

/** Only where somebody goes by it: to look for names costs something. */
function namedBy(
  { agents, turnPolicy }: ConversationSettings,
  { content, sender, visibleTo, retracted }: Message,
  { named }: RecordFields,
): readonly string[] {
  const isAsked = turnPolicy?.type === 'mention' || agents.some(({ speaks }) => speaks === 'when_mentioned');
  if (!isAsked || visibleTo || retracted) return named;
  const names = agents.map(({ name }) => name);
  return namesIn(content, names, sender);
}

/** A pause of the user's that comes while something is waited for holds behind that, and one that is there before does. */
function pauseAfter(before: Pause | null, event: PausedEvent): Pause {
  const { for: reason, at: since, by, agent, detail } = event;
  const pause: Pause = { for: reason, since, by, agent, detail };
  if (!before) return pause;
  return reason === 'user' ? { ...before, behind: pause } : { ...pause, behind: before };
}

/** What is left of a pause when what was waited for has come: the user's behind it, or what its resumption will end. */
function behindWait(pause: Pause | null, reason: Pause['for']): Pause | null {
  return pause?.for === reason && pause.behind ? pause.behind : pause;
}

/** Whether a message is an agent's turn; a person's is where an agent of that name is one (10.3). */
export function isTurn({ role, sender }: Message, agents: ConversationSettings['agents']): boolean {
  if (role === 'agent') return true;
  return role === 'human' && agents.some(({ name, provider }) => name === sender && provider === 'human');
}

function outcomeOf(event: object, type: Outcome['type']): Outcome {
  const { seq: _seq, type: _type, at: _at, metadata: _metadata, ...said } = event as Record<string, unknown>;
  return { ...said, type };
}
