import type { StreamFrame } from '../client/types.ts';
import { oneLine } from './terminal.ts';

type Outcome = Extract<StreamFrame, { type: 'vote.closed' | 'verdict.given' }>;

/** What a vote or a judge came to, in lines. */
export function outcomeLines(outcome: Outcome): string {
  const { totals, title, summary } =
    outcome.type === 'vote.closed'
      ? { totals: outcome.tally, title: `Vote (${outcome.method})`, summary: null }
      : { totals: outcome.totals, title: 'Verdict', summary: outcome.summary };
  const counted = Object.entries(totals).map(([name, total]) => `${oneLine(name)} ${rounded(total)}`);
  const winner = outcome.winner === null ? 'no winner' : oneLine(outcome.winner);
  const lines = [`${title}: ${winner}${counted.length === 0 ? '' : ` (${counted.join(', ')})`}`];
  if (summary) lines.push(oneLine(summary));
  return `${lines.join('\n')}\n`;
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
