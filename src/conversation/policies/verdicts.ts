import type { Score } from '../asking/verdict.ts';
import type { VerdictEvent } from '../log/events.ts';

type Rubric = readonly { name: string; weight?: number | undefined }[];

/**
 * What one or two readings of a talk come to: the mean of each score, weighted totals, and the winner on which all
 * readings agree; null where they don't, or where the best are tied.
 */
export function verdictOf(
  agents: readonly string[],
  rubric: Rubric,
  readings: readonly (readonly Score[])[],
): Pick<VerdictEvent, 'scores' | 'totals' | 'winner'> {
  const [first = []] = readings;
  const scores = agents.flatMap((agent) =>
    rubric.map(({ name: criterion }) => {
      const all = readings.map((scores) => scoreOf(scores, agent, criterion));
      const why = first.find((each) => each.agent === agent && each.criterion === criterion)?.why ?? null;
      return { agent, criterion, score: rounded(mean(all)), why };
    }),
  );
  const totals = Object.fromEntries(agents.map((agent) => [agent, rounded(totalOf(scores, agent, rubric))]));
  const winners = new Set(readings.map((reading) => winnerOf(reading, agents, rubric)));
  const [winner = null] = winners.size === 1 ? winners : [];
  return { scores, totals, winner };
}

function winnerOf(scores: readonly Score[], agents: readonly string[], rubric: Rubric): string | null {
  const totals = agents.map((agent) => totalOf(scores, agent, rubric));
  const most = Math.max(...totals);
  const best = agents.filter((_, index) => totals[index] === most);
  return best.length === 1 ? (best[0] ?? null) : null;
}

function totalOf(scores: readonly Score[], agent: string, rubric: Rubric): number {
  return rubric.reduce((sum, { name, weight = 1 }) => sum + weight * scoreOf(scores, agent, name), 0);
}

function scoreOf(scores: readonly Score[], agent: string, criterion: string): number {
  return scores.find((each) => each.agent === agent && each.criterion === criterion)?.score ?? 0;
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);
}

/** To a thousandth, so that sums of decimals look like what they are. */
function rounded(number: number): number {
  return Math.round(number * 1000) / 1000;
}
