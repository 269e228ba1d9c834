import type { LoopKind } from '../log/events.ts';
import { carriesContent, courtesyIn, type Talk } from './courtesies.ts';
import { type Fingerprint, fingerprint, isNear, REMEMBERED_REPLIES } from './similarity.ts';

/**
 * Agents that go round in circles, seen from what they said and nothing else. A fold over the replies:
 * small enough to be carried for every conversation alive, and the same after every restart.
 */
export interface LoopState {
  readonly talk: Talk;
  readonly agents: readonly AgentReplies[];
  /** Who spoke last, as an index into `agents`. */
  readonly lastSpeaker: number | undefined;
  /** For 1, 2 and 3 replies back: how many replies in a row repeated their speaker's own that far back. */
  readonly cycles: readonly number[];
  /** The latest replies in a row that were courtesy alone. */
  readonly courtesies: readonly CourteousReply[];
  /** The words of late courtesies that no list knows: they are new but once. */
  readonly courteousWords: readonly string[];
  readonly found: Loop | undefined;
}

/** What one agent said last, the latest at the end. */
export interface AgentReplies {
  /** How many of this agent's latest replies in a row repeated what it or a partner had just said. */
  readonly repeats: number;
  readonly lastReplies: readonly Fingerprint[];
}

interface CourteousReply {
  readonly agent: number;
  readonly hearty: boolean;
  readonly words: number;
  readonly newWords: number;
}

export interface Loop {
  readonly kind: LoopKind;
  readonly detail: string;
}

/** How alike replies are that count as the same, 0 to 1, and how many in a row make a loop. */
export interface LoopSettings {
  readonly threshold: number;
  readonly consecutive: number;
}

/**
 * Up to 6 words. So short a reply may well be an honest answer that was given before ("No."), so that it
 * counts as a repeat only where it answers nothing new: behind its equal or behind another repeat.
 */
const SHORT_REPLY_GRAMS = 4;
const REMEMBERED_WORDS = 16;
/** More than ever make a loop: 16 agents and 10 rounds take 36. */
const REMEMBERED_COURTESIES = 40;
const SMALLEST_HEARTY_SHARE = 2 / 5;
const LARGEST_NEW_SHARE = 1 / 6;
const NO_CYCLES: readonly number[] = Array.from({ length: REMEMBERED_REPLIES }, () => 0);
const NONE: readonly never[] = [];

/** The state before the first reply; of the talk it keeps the strings that the settings hold anyway. */
export function noLoops(talk: Talk): LoopState {
  return {
    talk,
    agents: talk.names.map(() => ({ repeats: 0, lastReplies: NONE })),
    lastSpeaker: undefined,
    cycles: NO_CYCLES,
    courtesies: NONE,
    courteousWords: NONE,
    found: undefined,
  };
}

/**
 * The state after one more reply; `agent` is an index into the names that the state began with.
 *
 * @throws RangeError where there is no such agent.
 */
export function observeReply(
  loops: LoopState,
  reply: { agent: number; content: string },
  settings: LoopSettings,
): LoopState {
  const speaker = loops.agents[reply.agent];
  if (!speaker) throw new RangeError(`there is no agent ${reply.agent}`);
  const grams = fingerprint(reply.content);
  const isLike = (earlier: Fingerprint | undefined): boolean =>
    earlier !== undefined && isNear(grams, earlier, settings.threshold);

  const previous = loops.lastSpeaker === undefined ? undefined : loops.agents[loops.lastSpeaker];
  const echo = isLike(previous?.lastReplies.at(-1));
  const cycles = loops.cycles.map((run, back) => (isLike(speaker.lastReplies.at(-1 - back)) ? run + 1 : 0));
  const said =
    echo ||
    cycles.some((run) => run > 0) ||
    loops.agents.some((agent) => agent !== speaker && agent.lastReplies.some(isLike));
  const answersNothingNew = echo || (previous?.repeats ?? 0) > 0;
  const repeated = said && (grams.length > SHORT_REPLY_GRAMS || answersNothingNew);

  const agents = loops.agents.with(reply.agent, {
    repeats: repeated ? speaker.repeats + 1 : 0,
    lastReplies: [...speaker.lastReplies.slice(1 - REMEMBERED_REPLIES), grams],
  });
  const after = { ...loops, agents, cycles, lastSpeaker: reply.agent, ...courtesiesAfter(loops, reply) };
  return { ...after, found: find(after, echo, settings.consecutive) };
}

/**
 * The state after a nudge: whoever says something new is out of the loop, and whoever goes on as before is in it
 * again at once.
 */
export function forgive(loops: LoopState, { consecutive }: LoopSettings): LoopState {
  return {
    ...loops,
    agents: loops.agents.map(({ repeats, lastReplies }) => ({
      repeats: Math.min(repeats, consecutive - 1),
      lastReplies,
    })),
    found: undefined,
  };
}

/** The loop that the agents are in, if any. */
export function loopIn(loops: LoopState): Loop | undefined {
  return loops.found;
}

function courtesiesAfter(
  { talk, courtesies, courteousWords }: LoopState,
  { agent, content }: { agent: number; content: string },
): Pick<LoopState, 'courtesies' | 'courteousWords'> {
  const courtesy = courtesyIn(content, talk, courteousWords);
  if (!courtesy) return { courtesies: NONE, courteousWords: NONE };
  const { hearty, words, newWords, learned } = courtesy;
  const begins = courtesies.length > 0 || hearty;
  return {
    courtesies:
      !begins || carriesContent(courtesy)
        ? NONE
        : [...courtesies.slice(1 - REMEMBERED_COURTESIES), { agent, hearty, words, newWords }],
    courteousWords:
      learned.length === 0 ? courteousWords : [...courteousWords, ...learned].slice(-REMEMBERED_WORDS),
  };
}

function find(
  { agents, cycles, courtesies }: Omit<LoopState, 'found'>,
  echo: boolean,
  consecutive: number,
): Loop | undefined {
  const repeats = Math.max(...agents.map((agent) => agent.repeats));
  const cycle = Math.max(...cycles);
  const cycling = !echo && cycle > agents.length && repeats >= consecutive;
  if (cycling || cycle >= shortCycle(agents.length, consecutive)) {
    return { kind: 'alternation', detail: `the latest ${cycle} replies had come in the same order before` };
  }
  if (repeats >= consecutive) {
    const detail = `an agent's latest ${repeats} replies repeated what had just been said`;
    return { kind: 'near_duplicates', detail };
  }
  const exchange = courtesies.slice(-courteousExchange(agents.length, consecutive));
  if (exchange.length < courteousExchange(agents.length, consecutive) || !isGratitude(exchange))
    return undefined;
  const detail = `the latest ${exchange.length} replies were thanks, agreement or farewell alone`;
  return { kind: 'gratitude', detail };
}

/** Mutual, hearty enough not to be a game with kind words, and with next to nothing new in it. */
function isGratitude(exchange: readonly CourteousReply[]): boolean {
  const hearty = exchange.filter((reply) => reply.hearty).length;
  const words = exchange.reduce((sum, reply) => sum + reply.words, 0);
  const newWords = exchange.reduce((sum, reply) => sum + reply.newWords, 0);
  return (
    new Set(exchange.map(({ agent }) => agent)).size > 1 &&
    hearty >= exchange.length * SMALLEST_HEARTY_SHARE &&
    newWords <= words * LARGEST_NEW_SHARE
  );
}

/** How many replies in a row make a cycle even where they are short: with the defaults 6 of two agents. */
function shortCycle(agents: number, consecutive: number): number {
  return consecutive * Math.max(3, agents);
}

/**
 * How many courtesies in a row make a loop: each agent's last `consecutive`, in larger circles a round and
 * some more. Two closings of each of two agents are good manners, so that it takes one more.
 */
function courteousExchange(agents: number, consecutive: number): number {
  const rounds = Math.min(consecutive * agents, agents + 2 * consecutive);
  return Math.max(4, 2 * consecutive + 1, rounds);
}
