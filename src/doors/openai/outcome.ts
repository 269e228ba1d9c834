import type { Outcome } from '../../conversation/log/record.ts';

/** A vote or a verdict in words, as Markdown; undefined where there is none. */
export function outcomeText(outcome: Outcome | null): string | undefined {
  if (!outcome) return undefined;
  const { type, winner, totals, tally, summary } = outcome as Outcome & {
    winner: string | null;
    totals?: Record<string, number>;
    tally?: Record<string, number>;
    summary?: string | null;
  };
  const title = { vote: 'Vote', consensus: 'Consensus', verdict: 'Verdict' }[type];
  const counts = Object.entries(totals ?? tally ?? {}).map(([name, count]) => `${name} ${rounded(count)}`);
  const numbers = counts.length > 0 ? ` (${counts.join(', ')})` : '';
  const lines = [`**${title}**: ${winner ?? 'no winner'}${numbers}`, ...(summary ? [summary] : [])];
  return lines.join('\n\n');
}

function rounded(count: number): number {
  return Math.round(count * 100) / 100;
}
