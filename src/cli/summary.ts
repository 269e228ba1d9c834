import type { Ending } from '../client/types.ts';
import { count, dollars, table } from './figures.ts';
import type { Spent, Tally } from './tally.ts';
import { oneLine } from './terminal.ts';

/** Why a conversation ended, and what it took, agent by agent. */
export function summary({ reason, detail, by }: Ending, tally: Tally): string {
  const why = `Ended: ${reason}${detail ? ` (${oneLine(detail)})` : ''}, by ${by}.`;
  const { inputTokens, outputTokens, costUsd } = tally.total;
  const number = (value: number) => value.toLocaleString('en');
  const all =
    `${count(tally.turns, 'turn')}, ${count(inputTokens + outputTokens, 'token')} ` +
    `(${number(inputTokens)} in, ${number(outputTokens)} out), ${dollars(costUsd)}.`;
  return `${why} ${all}\n${table([...tally.agents].map(row))}`;
}

function row([name, { turns, inputTokens, outputTokens, costUsd }]: [string, Spent]): string[] {
  return [
    `  ${oneLine(name)}`,
    count(turns, 'turn'),
    count(inputTokens + outputTokens, 'token'),
    dollars(costUsd),
  ];
}
