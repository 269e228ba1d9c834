/** What a model writes besides what it says, and what it says in another's name. */
export interface Speech {
  /** Takes the next piece; gives what is certain to be said by now. */
  push(piece: string): Said;
  /** The rest. */
  end(): Said;
}

export interface Said {
  text: string;
  /** Who was spoken for; what follows is not to be heard. */
  cutAt?: string;
}

/** A thought is written between marks of its own, at the beginning. Each ends with one of the second. */
const THOUGHTS: readonly (readonly [opening: string, closings: readonly string[]])[] = [
  ['<think>', ['</think>']],
  ['<thinking>', ['</thinking>']],
  ['<thought>', ['</thought>']],
  // https://cookbook.openai.com/articles/openai-harmony
  ['<|channel|>analysis<|message|>', ['<|end|>', '<|channel|>final<|message|>']],
  ['<|channel|>commentary<|message|>', ['<|end|>', '<|channel|>final<|message|>']],
];
/** Marks that are no thoughts, and no words either. */
const MARKS = ['<|start|>assistant', '<|channel|>final<|message|>'];
/** Where the prompt had opened the thought, the answer has its end alone. */
const LONE = ['</think>', '</thinking>', '</thought>'];
/** Marks at the end. */
const TAILS = ['<|return|>', '<|end|>'];
/** White space that is held back at most, in characters: there may be any number of blank lines. */
const MOST_BLANK = 256;

/**
 * Leaves out of an answer, while it comes: thoughts at its beginning, the speaker's own name in front, and all from
 * where it speaks for somebody else.
 *
 * @param others who else takes part, by the names that the prompt has for them
 */
export function createSpeech(self: string, others: readonly string[]): Speech {
  const names = self === '' ? [] : [`${self}:`, `**${self}:**`, `**${self}**:`, `${self}：`];
  const foreign = others.filter((name) => name !== '' && name !== self);
  const canBeCut = foreign.length > 0;
  /** Made when a line ends, which in most answers none does. */
  let turns: RegExp | undefined;
  let held = '';
  let thought: readonly string[] | undefined;
  let isBeginning = true;
  let tookAway = false;
  let isCut = false;

  /** Takes away what stands at the beginning; gives whether it is known yet. */
  function begin(isWhole: boolean): boolean {
    for (;;) {
      if (thought) {
        const end = firstOf(held, thought);
        if (!end) {
          // A part of its end may be there.
          if (!isWhole) held = held.slice(-longest(thought));
          else held = '';
          return isWhole;
        }
        held =
          end.mark === '<|channel|>final<|message|>'
            ? held.slice(end.at)
            : held.slice(end.at + end.mark.length);
        thought = undefined;
        tookAway = true;
      }
      const text = held.trimStart();
      const opened = THOUGHTS.find(([opening]) => text.startsWith(opening));
      const passed = [...MARKS, ...names].find((mark) => text.startsWith(mark));
      if (opened) {
        thought = opened[1];
        held = text.slice(opened[0].length);
      } else if (passed !== undefined) {
        tookAway = true;
        held = text.slice(passed.length);
      } else {
        const openings = [...THOUGHTS.map(([opening]) => opening), ...MARKS, ...names];
        const isOpen = text !== '' || held.length <= MOST_BLANK;
        if (!isWhole && isOpen && openings.some((opening) => opening.startsWith(text))) return false;
        // White space around what was taken away goes with it; what is the answer's own stays.
        if (tookAway) held = text;
        return true;
      }
      held = held.trimStart();
    }
  }

  function take(isWhole: boolean): Said {
    if (isCut) return { text: '' };
    if (isBeginning) {
      if (!begin(isWhole)) return { text: '' };
      isBeginning = false;
    }
    // Neither a mark nor another line, as in almost all pieces.
    if (!held.includes('<') && !held.includes('\n')) {
      const text = held;
      held = '';
      return { text };
    }
    const lone = firstOf(held, LONE);
    if (lone) held = held.slice(lone.at + lone.mark.length).trimStart();
    for (const tail of TAILS) held = held.replaceAll(tail, '');
    if (canBeCut) turns ??= turnOf(foreign);
    const turn = turns?.exec(held);
    if (turn) {
      isCut = true;
      return { text: held.slice(0, turn.index).trimEnd(), cutAt: turn[1] ?? turn[2] ?? '' };
    }
    const kept = isWhole ? 0 : undecided(held);
    const text = held.slice(0, held.length - kept);
    held = held.slice(text.length);
    return { text };
  }

  /** How many characters at the end may be the beginning of a mark, or of somebody else's turn. */
  function undecided(text: string): number {
    const mark = text.lastIndexOf('<', text.length - 1);
    const after = mark < 0 ? '' : text.slice(mark);
    const isMark = mark >= 0 && [...LONE, ...TAILS].some((each) => each.startsWith(after));
    const line = canBeCut ? text.lastIndexOf('\n') : -1;
    const begun = line < 0 ? '' : text.slice(line).trimStart();
    const isTurn =
      line >= 0 && foreign.some((name) => beginningsOf(name).some((each) => each.startsWith(begun)));
    // White space in front of a turn belongs to it.
    const from = isTurn ? Math.max(text.slice(0, line).trimEnd().length, line - MOST_BLANK) : text.length;
    return text.length - Math.min(isMark ? mark : text.length, from);
  }

  return {
    push(piece) {
      held += piece;
      return take(false);
    },
    end: () => take(true),
  };
}

/** How a line begins that is somebody's turn. */
function beginningsOf(name: string): string[] {
  return [`${name}:`, `**${name}:**`, `**${name}**:`];
}

/** A line that begins with another's name, as the prompt writes it. Linear: no blank is looked at twice. */
function turnOf(names: readonly string[]): RegExp {
  const any = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  return new RegExp(`\\n[ \\t]*(?:(${any}):|\\*\\*(${any})(?::\\*\\*|\\*\\*:))`);
}

function firstOf(text: string, marks: readonly string[]): { mark: string; at: number } | undefined {
  const found = marks
    .map((mark) => ({ mark, at: text.indexOf(mark) }))
    .filter(({ at }) => at >= 0)
    .sort((one, other) => one.at - other.at);
  return found[0];
}

function longest(marks: readonly string[]): number {
  return Math.max(...marks.map(({ length }) => length));
}
