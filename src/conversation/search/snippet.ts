import type { Match } from './query.ts';

/** A part of a message, and where in it stands what was looked for. */
export interface Snippet {
  snippet: string;
  /** UTF-16 offsets into the snippet, in order; none overlaps another. */
  highlights: [from: number, to: number][];
}

/** UTF-16 units. */
const LONGEST = 200;
/** What is shown of the text before the first match. */
const LEAD = 40;

/** The part of a text that has most of the terms; of several the first. */
export function snippetOf(text: string, matches: readonly Match[]): Snippet {
  const from = beginningOf(text, bestStart(matches));
  const to = cut(text, Math.min(text.length, from + LONGEST));
  const highlights: [number, number][] = [];
  for (const match of matches) {
    const begin = Math.max(match.from, from) - from;
    const end = Math.min(match.to, to) - from;
    if (begin >= end || match.from < from) continue;
    const last = highlights.at(-1);
    if (last && begin <= last[1]) last[1] = Math.max(last[1], end);
    else highlights.push([begin, end]);
  }
  return { snippet: text.slice(from, to), highlights };
}

/** Where the match begins behind which most of the different terms stand within the length. */
function bestStart(matches: readonly Match[]): number {
  let best = matches[0]?.from ?? 0;
  let most = 1;
  let end = 0;
  const within = new Map<number, number>();
  for (const [index, { from, term }] of matches.entries()) {
    for (let next = matches[end]; next && next.to <= from + LONGEST - LEAD; next = matches[++end]) {
      within.set(next.term, (within.get(next.term) ?? 0) + 1);
    }
    if (within.size > most) {
      most = within.size;
      best = from;
    }
    // One that is longer than the length is not within it.
    if (index >= end) end = index + 1;
    else if (within.get(term) === 1) within.delete(term);
    else within.set(term, (within.get(term) ?? 0) - 1);
  }
  return best;
}

/** A little before a match, at the beginning of a word where there is one. */
function beginningOf(text: string, match: number): number {
  const earliest = Math.max(0, Math.min(match - LEAD, text.length - LONGEST));
  if (earliest === 0) return 0;
  const space = text.slice(earliest, match).search(/\s\S/);
  return space === -1 ? cut(text, earliest) : earliest + space + 1;
}

/** A place to cut a text, not between two halves of a character. */
function cut(text: string, at: number): number {
  return /[\uDC00-\uDFFF]/.test(text[at] ?? '') && /[\uD800-\uDBFF]/.test(text[at - 1] ?? '') ? at - 1 : at;
}
