import type { ConversationSettings } from '../../log/settings.ts';

/** What a turn policy may know of a conversation: what is stored beside its log, and its id. */
export interface Facts {
  readonly id: string;
  readonly settings: ConversationSettings;
  readonly turns: number;
  readonly agentTurns: readonly number[];
  readonly lastSpeaker: string | null;
  /** The agents that the last message names, in the order in which it does; not its sender. */
  readonly named: readonly string[];
}

/** Whose turn it is; agents are indexes. */
export type Due =
  | { kind: 'speak'; speaker: number }
  /** The rest of a round of a panel. */
  | { kind: 'together'; speakers: readonly number[] }
  /** A moderator is to be asked. */
  | { kind: 'choose' }
  /** The talk has come to its planned end. */
  | { kind: 'over' };
