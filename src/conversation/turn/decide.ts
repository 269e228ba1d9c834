import type { Ending } from '../log/events.ts';
import type { RecordFields } from '../log/record.ts';
import type { ConversationSettings, Decision } from '../log/settings.ts';
import type { ConversationState } from '../log/state.ts';
import type { Due } from '../policies/turn/facts.ts';
import { spokenInRound } from '../policies/turn/panel.ts';
import { roundsDone, turnDue } from '../policies/turn/turn-policy.ts';

/** What is to be done next; agents are indexes. */
export type Command =
  | { kind: 'speak'; speaker: number }
  /** The rest of a round of a panel: all at the same time. */
  | { kind: 'speak together'; speakers: readonly number[] }
  /** A person is to speak. */
  | { kind: 'wait'; speaker: number }
  /** A moderator is to say who speaks. */
  | { kind: 'choose' }
  /** These have not voted yet. */
  | { kind: 'vote'; voters: readonly number[] }
  | { kind: 'judge' }
  | { kind: 'end'; ending: Ending }
  /** It is paused, or has ended. */
  | { kind: 'rest' };

/** What is known of whose turn it is: the part of the fold that is stored beside the log. */
type Known = Pick<
  RecordFields,
  'status' | 'turns' | 'agentTurns' | 'lastSpeaker' | 'named' | 'chosen' | 'closing'
> & { settings: ConversationSettings };

/**
 * What is to be done next in a conversation: pure and at once, so that the same log gives the same command on
 * every instance and after every restart.
 */
export function decide(id: string, state: ConversationState): Command {
  if (state.status !== 'running') return { kind: 'rest' };
  if (state.closing) return closingStep(state, state.closing);
  if (isVoteDue(state)) return { kind: 'vote', voters: votersLeft(state) };
  const due = dueNext(id, state);
  switch (due.kind) {
    case 'speak': {
      const isPerson = state.settings.agents[due.speaker]?.provider === 'human';
      return { kind: isPerson ? 'wait' : 'speak', speaker: due.speaker };
    }
    case 'together':
      return { kind: 'speak together', speakers: due.speakers };
    case 'choose':
      return { kind: 'choose' };
    case 'over':
      return { kind: 'end', ending: { reason: 'completed', by: 'system' } };
    default:
      return due satisfies never;
  }
}

/** Whose turn it is, as far as that follows from what is stored beside the log: none where a model has to choose. */
export function speakersDue(id: string, known: Known): readonly number[] {
  if (known.status !== 'running' || known.closing) return [];
  const due = dueNext(id, known);
  if (due.kind === 'speak') return [due.speaker];
  return due.kind === 'together' ? due.speakers : [];
}

function dueNext(id: string, known: Known): Due {
  const chosen = known.settings.agents.findIndex(({ name }) => name === known.chosen);
  return chosen >= 0 ? { kind: 'speak', speaker: chosen } : turnDue({ ...known, id });
}

/** Behind the last message: the vote, the verdict, and then the end. */
function closingStep(state: ConversationState, closing: NonNullable<ConversationState['closing']>): Command {
  const { decision } = state.settings;
  if (decision?.type === 'vote' && state.votes === 0) return { kind: 'vote', voters: votersLeft(state) };
  if (decision?.type === 'judge' && !state.isJudged) return { kind: 'judge' };
  return { kind: 'end', ending: { ...closing, by: 'system' } };
}

/** Whether something is decided behind the last message. */
export function decidesAtEnd({ decision, agents }: ConversationSettings): boolean {
  if (decision?.type === 'judge') return true;
  return decision?.type === 'vote' && (decision.at ?? 'end') === 'end' && votersOf(agents).length > 0;
}

/** After how many rounds each a vote is held; undefined where there is none before the end. */
function everyRounds(decision: Decision | undefined): number | undefined {
  if (decision?.type === 'consensus') return decision.everyRounds ?? 1;
  return decision?.type === 'vote' && typeof decision.at === 'object' ? decision.at.everyRounds : undefined;
}

function isVoteDue(state: ConversationState): boolean {
  const every = everyRounds(state.settings.decision);
  if (every === undefined || votersOf(state.settings.agents).length === 0) return false;
  const rounds = roundsDone(state);
  if (rounds === 0 || rounds % every !== 0 || rounds === state.roundVoted) return false;
  return spokenInRound(state) === 0;
}

/** Who votes: everybody but people. */
export function votersOf(agents: ConversationSettings['agents']): number[] {
  return agents.flatMap(({ provider }, index) => (provider === 'human' ? [] : [index]));
}

function votersLeft({ settings, ballots }: ConversationState): number[] {
  const voted = new Set(ballots.map(({ agent }) => agent));
  return votersOf(settings.agents).filter((index) => !voted.has(settings.agents[index]?.name ?? ''));
}
