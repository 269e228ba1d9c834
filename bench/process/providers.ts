import type { AnswerPart, GenerateRequest, Provider } from '../../src/conversation/turn/provider.ts';
import type { Pace } from './pace.ts';

/** How the agents of a bench's server answer. */
export type Playing =
  /** At once, with a text of so many bytes. */
  | { kind: 'instant'; bytes: number }
  /** In so many words over 2 to 5 s; `stamped`: the first word is the time at which it is said. */
  | { kind: 'human'; words: number; stamped?: boolean }
  /** Never. */
  | { kind: 'silent' }
  /** In so many pieces, as fast as the readers keep up. */
  | { kind: 'paced'; pieces: number };

/** When the turns with a number began: the first one of all conversations, and the last. */
export interface Mark {
  first: number;
  last: number;
  /** CPU time of the process at the last one, in microseconds. */
  processor: number;
}

const SHORTEST_MS = 2000;
const LONGEST_MS = 5000;

/** A clock that all processes of a machine share, in milliseconds. */
export function sharedClock(): number {
  return performance.timeOrigin + performance.now();
}

export function createProvider(playing: Playing, pace: Pace, marks: Map<number, Mark>): Provider {
  switch (playing.kind) {
    case 'instant':
      return instant(playing.bytes, marks);
    case 'human':
      return human(playing.words, playing.stamped ?? false);
    case 'silent':
      return { generate: silence };
    case 'paced':
      return paced(playing.pieces, pace);
  }
}

function instant(bytes: number, marks: Map<number, Mark>): Provider {
  const library = wordsOf(100_000);
  return {
    async *generate({ seed }: GenerateRequest, signal: AbortSignal) {
      signal.throwIfAborted();
      const turn = Number(seed.slice(seed.lastIndexOf('.') + 1));
      note(marks, turn);
      const from = (turn * 7919) % (library.length - bytes);
      const head = `${turn} `;
      yield text(head + library.slice(from, from + bytes - head.length));
      yield finish(bytes);
    },
  };
}

function note(marks: Map<number, Mark>, turn: number): void {
  const now = performance.now();
  const { user, system } = process.cpuUsage();
  const mark = marks.get(turn);
  marks.set(turn, { first: mark?.first ?? now, last: now, processor: user + system });
}

function human(words: number, stamped: boolean): Provider {
  return {
    async *generate(_request: GenerateRequest, signal: AbortSignal) {
      const between = (SHORTEST_MS + Math.random() * (LONGEST_MS - SHORTEST_MS)) / words;
      let timer: NodeJS.Timeout | undefined;
      let wake = (): void => {};
      const onAbort = (): void => wake();
      // One for all the waits: what is measured is the server, not the cost of listening to a signal.
      signal.addEventListener('abort', onAbort);
      try {
        for (let word = 0; word < words; word++) {
          signal.throwIfAborted();
          await new Promise<void>((resolve) => {
            wake = resolve;
            timer = setTimeout(resolve, between);
          });
          signal.throwIfAborted();
          const random = Math.random().toString(36).slice(2, 9);
          yield text(stamped && word === 0 ? `@${sharedClock()} ` : `${random} `);
        }
        yield finish(words * 8);
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      }
    },
  };
}

async function* silence(_request: GenerateRequest, signal: AbortSignal): AsyncGenerator<AnswerPart> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  await promise;
  yield finish(0);
}

function paced(pieces: number, pace: Pace): Provider {
  return {
    async *generate(_request: GenerateRequest, signal: AbortSignal) {
      for (let piece = 0; piece < pieces; piece++) {
        await pace.reach(piece, signal);
        yield text('together ');
      }
      yield finish(pieces * 9);
    },
  };
}

/** Words that repeat as seldom as those of a talk. */
function wordsOf(length: number): string {
  let words = '';
  for (let count = 1; words.length < length; count++) {
    words += `${(Math.imul(count, 2654435761) >>> 0).toString(36).slice(0, 3 + (count % 5))} `;
  }
  return words;
}

function text(content: string): AnswerPart {
  return { type: 'text', text: content };
}

function finish(bytes: number): AnswerPart {
  const outputTokens = Math.ceil(bytes / 4);
  return { type: 'finish', finishReason: 'stop', usage: { inputTokens: 100, outputTokens } };
}
