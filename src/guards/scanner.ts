import type { ScannerName } from '../conversation/stages/guard.ts';

/** A part of a text, in UTF-16 units, and what it is. */
export interface Match {
  from: number;
  to: number;
  kind: string;
}

/** Finds something in texts. What it does takes time in proportion to a text's length. */
export interface Scanner {
  readonly name: Exclude<ScannerName, 'llm_guard'>;

  /** Quick: whether there can be nothing in a text, and nothing can have begun at its end. */
  isHarmless(text: string): boolean;

  /** What is found from a place on, in order, without overlaps. What stands before that place counts as context. */
  scan(text: string, from?: number): Match[];

  /** What stands in the place of what was found. */
  mark(kind: string): string;
}

/**
 * A scanner that knows of a text that goes on how much of it is settled: what it finds before that doesn't depend on
 * what follows.
 */
export interface StreamScanner extends Scanner {
  /** How many characters before a match may have a say in it. */
  readonly context: number;
  /** Quick, of the next piece: the same, behind what was let out, of which nothing is held back. */
  isHarmlessBehind(passed: string, piece: string): boolean;
  /** For each text something that is quicker still; left out where there is nothing quicker. */
  follow?(): Follower;
  /** The end of a text from which on it isn't settled; its length where all of it is. */
  heldFrom(text: string, from: number): number;
  /** What a match goes on with that is longer than what is held back; it matches the empty text, too. */
  readonly rest: RegExp;
}

/** Follows a text that is let out, and knows pieces at first sight with which nothing is wrong. */
export interface Follower {
  /** Whether a piece is harmless behind all that was let out; it counts as let out where it is. */
  takes(piece: string): boolean;
  /** Something was let out that wasn't taken. @param passed the end of all that was, with that */
  passed(passed: string): void;
}

/** The mark that stands in the place of most of what is found. */
export function markOf(kind: string): string {
  return `[REDACTED:${kind}]`;
}

/** In order and without overlaps: the first wins, of those the longer, of those the one that was found first. */
export function settleOverlaps(matches: Match[]): Match[] {
  if (matches.length < 2) return matches;
  const ordered = matches.sort((one, other) => one.from - other.from || other.to - one.to);
  let end = -1;
  return ordered.filter(({ from, to }) => {
    if (from < end) return false;
    end = to;
    return true;
  });
}

/** A text with marks in the place of what was found in it, between two places. */
export function redacted(
  text: string,
  matches: readonly Match[],
  mark: (kind: string) => string,
  from = 0,
  to = text.length,
): string {
  let out = '';
  let at = from;
  for (const match of matches) {
    out += text.slice(at, match.from) + mark(match.kind);
    at = match.to;
  }
  return out + text.slice(at, to);
}

/** How often each kind was found. */
export type Tally = Map<string, number>;

export function count(tally: Tally, matches: readonly Match[]): void {
  for (const { kind } of matches) tally.set(kind, (tally.get(kind) ?? 0) + 1);
}
