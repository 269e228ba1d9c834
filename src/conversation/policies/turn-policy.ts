/** What a turn policy decides by. */
export interface TurnsSoFar {
  /** Whose turn it may be; at least 2. */
  agents: readonly unknown[];
  /** The number of the last turn; 0 before the first. */
  turns: number;
}

/**
 * Who speaks next, as an index into the list of agents. A pure function, so that the same log gives the
 * same speaker on every instance and after every restart.
 */
export type TurnPolicy = (soFar: TurnsSoFar) => number;

/** The first in the list begins; then they go round in order. */
export const roundRobin: TurnPolicy = ({ agents, turns }) => turns % agents.length;
