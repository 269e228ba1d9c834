import type { Range } from '../../conversation/knowledge/knowledge.ts';
import type { DocumentFormat } from '../../protocol/knowledge.ts';

/** Characters of a passage at most, and how much of its end the next one begins with. Other sizes have not been measured. */
const SIZE = 900;
const OVERLAP = 150;
/** A shorter rest goes with the passage before. */
const SMALLEST = 200;

export type CutPassage = Range & {
  /** The headings that it stands under, from the outermost; empty where there are none. */
  under: string;
};

/** How long passages are, in characters. */
export interface PassageSize {
  size: number;
  overlap: number;
}

/**
 * Cuts a text into passages: at headings always, then between paragraphs, where one is too long between sentences,
 * then between words. Only where a piece was cut within a section does the next one begin with its end. Together they
 * have every character that is no white space.
 */
export function passagesOf(
  text: string,
  format: DocumentFormat,
  { size, overlap }: PassageSize = { size: SIZE, overlap: OVERLAP },
): CutPassage[] {
  const sections = hasHeadings(format) ? sectionsOf(text) : [{ from: 0, to: text.length, under: '' }];
  return sections.flatMap(({ from, to, under }) =>
    cutSection(text, { from, to }, size, overlap).map((range) => ({ ...range, under })),
  );
}

/** What HTML and DOCX become has Markdown's headings. */
function hasHeadings(format: DocumentFormat): boolean {
  return format === 'markdown' || format === 'html' || format === 'docx';
}

const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$/;
const FENCE = /^ {0,3}(```|~~~)/;
/** Of a heading, as passages say under which they stand. */
const MOST_HEADING = 120;

/** The parts of a Markdown text between headings; what is in a code fence is none. */
function sectionsOf(text: string): CutPassage[] {
  const sections: CutPassage[] = [];
  const path: string[] = [];
  let [start, fence, under] = [0, '', ''];
  // Headings alone go with what follows.
  let hasBody = false;
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(at, Math.min(end, at + 300));
    const mark = FENCE.exec(line)?.[1] ?? '';
    if (mark !== '' && (fence === '' || fence === mark)) fence = fence === '' ? mark : '';
    const heading = fence === '' ? HEADING.exec(line) : null;
    if (heading) {
      if (hasBody) sections.push({ from: start, to: at, under });
      if (hasBody) start = at;
      hasBody = false;
      const [, marks = '', title = ''] = heading;
      path.length = Math.min(path.length, marks.length - 1);
      path[marks.length - 1] = title.slice(0, MOST_HEADING);
      under = path.filter(Boolean).join(' › ');
    } else hasBody ||= line.trim() !== '';
    at = end + 1;
  }
  if (start < text.length) sections.push({ from: start, to: text.length, under });
  return sections;
}

function cutSection(text: string, section: Range, size: number, overlap: number): Range[] {
  const passages: Range[] = [];
  let from = skipSpace(text, section.from, section.to);
  while (from < section.to) {
    const isLast = section.to - from <= size + Math.min(SMALLEST, size / 4);
    const stop = isLast ? section.to : cutBefore(text, from, from + size);
    const to = trimEnd(text, from, stop);
    if (to > from) passages.push({ from, to });
    if (isLast) break;
    // Each one gets further than the one before, whatever the overlap is.
    const next = skipSpace(text, Math.max(beginIn(text, to - overlap, to), from + 1), section.to);
    from = Math.min(next, skipSpace(text, stop, section.to));
  }
  return passages;
}

/** In what places a text may be cut, the best first: each finds the end of what it ends. */
const ENDS = [/\n[ \t]*\n/g, /\n/g, /[.!?…]["”’»)\]]*\s|[。！？]["”』」）]*/g, /\s/g];

/** Where the piece from `from` is cut, at most at `most` and in its second half, else where it is full. */
function cutBefore(text: string, from: number, most: number): number {
  const least = from + (most - from) / 2;
  const piece = text.slice(from, most);
  for (const end of ENDS) {
    let found = -1;
    for (const match of piece.matchAll(end)) found = from + match.index + match[0].length;
    if (found >= least) return found;
  }
  return withinPair(text, most) ? most - 1 : most;
}

/** Where the overlap begins: at a sentence, else at a word, else where it would. */
function beginIn(text: string, from: number, to: number): number {
  const piece = text.slice(from, to);
  const sentence = /[.!?…]["”’»)\]]*\s+|[。！？]|\n/.exec(piece);
  if (sentence && sentence.index + sentence[0].length < piece.length)
    return from + sentence.index + sentence[0].length;
  const word = /\s+/.exec(piece);
  if (word && word.index + word[0].length < piece.length) return from + word.index + word[0].length;
  return withinPair(text, from) ? from + 1 : from;
}

function withinPair(text: string, at: number): boolean {
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(text.slice(at - 1, at + 1));
}

function skipSpace(text: string, from: number, to: number): number {
  let at = from;
  while (at < to && /\s/.test(text.charAt(at))) at++;
  return at;
}

function trimEnd(text: string, from: number, to: number): number {
  let at = to;
  while (at > from && /\s/.test(text.charAt(at - 1))) at--;
  return at;
}
