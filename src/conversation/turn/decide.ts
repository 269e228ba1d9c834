import type { RecordFields } from '../log/record.ts';
import type { ConversationSettings } from '../log/settings.ts';

/** What is known where it is decided: the fold of the log, or the part of it that is stored beside the log. */
export type Decidable = Pick<RecordFields, 'status' | 'turns' | 'lastSpeaker' | 'pause'> & {
  settings: ConversationSettings;
  /** Who was chosen to speak next, by a person or a model. */
  chosen?: string | undefined;
};

/** What is to be done next. `speaker` is an index into the agents. */
export type Command =
  | { kind: 'speak'; speaker: number }
  /** A person is to speak. */
  | { kind: 'wait'; speaker: number }
  /** It is paused, or has ended. */
  | { kind: 'rest' };

/**
 * What is to be done next in a conversation: pure and at once, so that the same log gives the same command on
 * every instance and after every restart.
 */
export function decide(state: Decidable): Command {
  if (state.status !== 'running') return { kind: 'rest' };
  const speaker = nextSpeaker(state);
  const isPerson = state.settings.agents[speaker]?.provider === 'human';
  return { kind: isPerson ? 'wait' : 'speak', speaker };
}

/** Whose turn it is, also while it is paused. */
export function nextSpeaker(state: Decidable): number {
  const chosen = state.settings.agents.findIndex(({ name }) => name === state.chosen);
  return chosen < 0 ? roundRobin(state) : chosen;
}

/** The next in the list after the agent that spoke last; the first one begins. */
function roundRobin({ turns, lastSpeaker, settings }: Decidable): number {
  const { length } = settings.agents;
  if (lastSpeaker === null) return turns % length;
  return (settings.agents.findIndex(({ name }) => name === lastSpeaker) + 1) % length;
}
