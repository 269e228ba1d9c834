import type { StreamFrame } from '../client/types.ts';

/** What somebody's calls took; `costUsd` is null as soon as one's price is unknown. */
export interface Spent {
  turns: number;
  inputTokens: number;
  outputTokens: number;
  costUsd: number | null;
}

interface Call {
  inputTokens?: number | undefined;
  outputTokens?: number | undefined;
  costUsd?: number | null | undefined;
}

/** Counts what a conversation takes, from its frames alone: all of it, and of each agent. */
export class Tally {
  readonly agents = new Map<string, Spent>();
  readonly total: Spent = nothing();
  /** The number of the last turn. */
  turns = 0;

  take(frame: StreamFrame): void {
    switch (frame.type) {
      case 'message': {
        const { turn, sender, role, metadata } = frame.message;
        this.turns = Math.max(this.turns, turn);
        if (role === 'agent') this.#add(sender, metadata, 1);
        return;
      }
      case 'attempt.spent':
        return this.#add(frame.agent, frame, 0);
      case 'ballot.cast':
        return this.#add(frame.agent, frame.metadata, 0);
      case 'speaker.chosen':
        return frame.metadata && this.#add('Moderator', frame.metadata, 0);
      case 'verdict.given':
        return this.#add('Judge', frame.metadata, 0);
      default:
    }
  }

  #add(name: string, call: Call, turns: number): void {
    const spent = this.agents.get(name) ?? nothing();
    this.agents.set(name, spent);
    for (const sum of [spent, this.total]) {
      sum.turns += turns;
      sum.inputTokens += call.inputTokens ?? 0;
      sum.outputTokens += call.outputTokens ?? 0;
      // What no vendor was asked for costs nothing.
      const cost = call.inputTokens === undefined ? 0 : (call.costUsd ?? null);
      sum.costUsd = sum.costUsd === null || cost === null ? null : sum.costUsd + cost;
    }
  }
}

function nothing(): Spent {
  return { turns: 0, inputTokens: 0, outputTokens: 0, costUsd: 0 };
}
