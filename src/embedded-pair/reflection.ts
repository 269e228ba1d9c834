import type { Words } from './words.ts';

/** More than this is no echo any more but a recital; bounded, so that echoes of echoes can't grow. */
const MAX_ECHO_WORDS = 9;
const MAX_ECHO_CHARS = 80;

const SWAPPED = new Map(
  Object.entries({
    i: 'you',
    me: 'you',
    my: 'your',
    mine: 'yours',
    myself: 'yourself',
    your: 'my',
    yours: 'mine',
    yourself: 'myself',
  }),
);

const set = (words: string): ReadonlySet<string> => new Set(words.split(' '));

/** Where an echo that is too long may stop and still be a clause. */
const BREAKS = set(
  'because but so when where while since until unless which who if before after although though as',
);

/** After these, "and" begins another statement. */
const PRONOUNS = set('i you he she it we they');

/** What a shortened echo can't end with. */
const LOOSE_ENDS = set(
  'the a an of to in on at by for with from and or but because that which who whom if as than so my your his her ' +
    'their our its this these those very is are was were be not',
);

/** After these, `you` is the one to whom it is done: "watching you" is "watching me". */
const BEFORE_OBJECT = set(
  'to for with about at from of on by than against behind after between around near tell told give gave ask asked ' +
    'asking help see saw watch watching watched follow following followed like love hate trust know hear heard make ' +
    'makes made let show call called bother bothers bothering upset upsets want sent send draws draw stop stops ' +
    'trouble troubles cost costs weigh weighs owe owes keep keeps kept lead leads tire tires understand brings bring ' +
    'frighten frightens taught touch touches surprise surprises leave leaves left telling',
);

/** Before these, `you` is the one who does it. */
const AFTER_SUBJECT = set(
  'are were have had do did can could will would should may might must am was think thought know knew want wanted ' +
    "say said mean meant feel felt believe like don't didn't can't cannot won't never always ask asked see saw " +
    'need needed talk speak lose keep came go went',
);

/**
 * Words `from` to `to` as the listener says them: I and you, my and your change places and the forms of
 * "be" with them. Undefined where nothing is left, or too much for an echo and no place to cut.
 */
export function reflected(words: Words, from: number, to: number): string | undefined {
  const end = to - from > MAX_ECHO_WORDS ? shortened(words.lower, from) : to;
  if (end <= from) return undefined;
  let echo = '';
  for (let index = from; index < end; index++) {
    const word = turned(words, index, end);
    echo = index === from ? word : `${echo} ${word}`;
  }
  return echo.length > MAX_ECHO_CHARS ? undefined : echo;
}

/** The end of the last whole thought that is short enough, or `from` where there is none. */
function shortened(lower: readonly string[], from: number): number {
  for (let index = from + MAX_ECHO_WORDS; index >= from + 2; index--) {
    const word = lower[index] ?? '';
    if (!BREAKS.has(word) && !(word === 'and' && PRONOUNS.has(lower[index + 1] ?? ''))) continue;
    return LOOSE_ENDS.has(lower[index - 1] ?? '') ? from : index;
  }
  return from;
}

function turned({ raw, lower }: Words, index: number, end: number): string {
  const word = lower[index] ?? '';
  switch (word) {
    case 'you':
      return isSubject(lower, index, end) ? 'I' : 'me';
    case 'am':
      return 'are';
    case 'are':
      return lower[index - 1] === 'you' || lower[index + 1] === 'you' ? 'am' : 'are';
    case 'was':
      return lower[index - 1] === 'i' || lower[index + 1] === 'i' ? 'were' : 'was';
    case 'were':
      return lower[index - 1] === 'you' || lower[index + 1] === 'you' ? 'was' : 'were';
    default:
      return SWAPPED.get(word) ?? raw[index] ?? '';
  }
}

function isSubject(lower: readonly string[], index: number, end: number): boolean {
  if (AFTER_SUBJECT.has(lower[index + 1] ?? '') && index + 1 < end) return true;
  if (BEFORE_OBJECT.has(lower[index - 1] ?? '')) return false;
  return index + 1 < end;
}
