import type { BallotEvent, VoteClosedEvent } from '../log/events.ts';

/** How ballots are counted. */
export type Method = VoteClosedEvent['method'];

export type Result = Pick<VoteClosedEvent, 'method' | 'tally' | 'valid' | 'invalid' | 'winner'>;

/** A ballot's options in the order of preference; undefined where it is invalid. */
type Ranking = readonly string[] | undefined;

/**
 * Counts ballots.
 *
 * @param quorum the share of the ballots that have to be valid
 * @param share of consensus: of all that were asked, who have to agree
 */
export function countVotes(
  method: Method,
  options: readonly string[],
  ballots: readonly Pick<BallotEvent, 'choice'>[],
  { quorum = 0.5, share = 1 }: { quorum?: number | undefined; share?: number | undefined } = {},
): Result {
  const rankings = ballots.map(({ choice }): Ranking => {
    if (choice === null) return undefined;
    return typeof choice === 'string' ? [choice] : choice;
  });
  const valid = rankings.filter((ranking) => ranking !== undefined);
  const counted = method === 'ranked' ? runOff(options, valid) : plainCount(method, options, valid);
  const isQuorate = ballots.length > 0 && valid.length >= quorum * ballots.length && valid.length > 0;
  const winner =
    method === 'consensus'
      ? (counted.tally['agree'] ?? 0) >= share * ballots.length && ballots.length > 0
        ? 'agree'
        : null
      : isQuorate
        ? counted.winner
        : null;
  return {
    method,
    tally: counted.tally,
    valid: valid.length,
    invalid: ballots.length - valid.length,
    winner,
  };
}

interface Counted {
  tally: Record<string, number>;
  winner: string | null;
}

function plainCount(
  method: Method,
  options: readonly string[],
  rankings: readonly (readonly string[])[],
): Counted {
  const tally = tallyOf(options, rankings.flat());
  const winner = firstAlone(tally);
  const isEnough = method !== 'majority' || (winner !== null && (tally[winner] ?? 0) * 2 > rankings.length);
  return { tally, winner: isEnough ? winner : null };
}

/**
 * Instant run-off: the first choices count; while none has more than half, all that are tied for last go, and their
 * ballots go to whom they rank next. https://en.wikipedia.org/wiki/Instant-runoff_voting
 */
function runOff(options: readonly string[], rankings: readonly (readonly string[])[]): Counted {
  let left = [...options];
  for (;;) {
    const firsts = rankings.flatMap((ranking) => ranking.find((option) => left.includes(option)) ?? []);
    const tally = tallyOf(left, firsts);
    const leader = firstAlone(tally);
    if (leader !== null && (tally[leader] ?? 0) * 2 > firsts.length) return { tally, winner: leader };
    const fewest = Math.min(...Object.values(tally));
    const staying = left.filter((option) => (tally[option] ?? 0) > fewest);
    if (staying.length === 0) return { tally, winner: null };
    left = staying;
  }
}

function tallyOf(options: readonly string[], chosen: readonly string[]): Record<string, number> {
  // Of no prototype: an option may be called anything.
  const tally: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const option of options) tally[option] = 0;
  for (const option of chosen) tally[option] = (tally[option] ?? 0) + 1;
  return tally;
}

/** Who has the most, where nobody has as many; null where nobody has any. */
function firstAlone(tally: Record<string, number>): string | null {
  const most = Math.max(0, ...Object.values(tally));
  const first = Object.keys(tally).filter((option) => tally[option] === most);
  return most > 0 && first.length === 1 ? (first[0] ?? null) : null;
}
