import { type Entry, isTurn } from '../talk/entries.ts';

/** A turn in figures. Times in milliseconds. */
export interface TurnFigures {
  turn: number;
  agent: string;
  firstMs: number | undefined;
  durationMs: number | undefined;
  tokens: number;
  dollars: number | undefined;
  content: string;
}

export function turnsIn(entries: readonly Entry[]): TurnFigures[] {
  return entries.filter(isTurn).map(({ message: { turn, sender, content, metadata } }) => ({
    turn,
    agent: sender,
    firstMs: metadata.timeToFirstTokenMs,
    durationMs: metadata.latencyMs,
    tokens: (metadata.inputTokens ?? 0) + (metadata.outputTokens ?? 0),
    dollars: metadata.costUsd,
    content,
  }));
}

/** What each agent's replies took, its failed attempts too. */
export function spentBy(entries: readonly Entry[]): ReadonlyMap<string, { tokens: number; dollars: number }> {
  const sums = new Map<string, { tokens: number; dollars: number }>();
  const add = (agent: string, tokens: number, dollars: number): void => {
    const before = sums.get(agent) ?? { tokens: 0, dollars: 0 };
    sums.set(agent, { tokens: before.tokens + tokens, dollars: before.dollars + dollars });
  };
  for (const entry of entries) {
    if (isTurn(entry)) {
      const { inputTokens = 0, outputTokens = 0, costUsd = 0 } = entry.message.metadata;
      add(entry.message.sender, inputTokens + outputTokens, costUsd);
    } else if (entry.kind === 'note' && entry.event.type === 'attempt.spent') {
      const { agent, inputTokens, outputTokens, costUsd } = entry.event;
      add(agent, inputTokens + outputTokens, costUsd ?? 0);
    }
  }
  return sums;
}
