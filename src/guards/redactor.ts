import { count, type Follower, type Match, redacted, type StreamScanner, type Tally } from './scanner.ts';

/** Characters that are held back at most: more than any key or token has. */
const MOST_HELD = 16_384;
/** Characters that were let out and are kept, at least as many as any scanner has for context, before they are cut. */
const MOST_KEPT = 1024;
/** From so many characters held back on, not every piece is looked at. */
const OFTEN = 256;

/**
 * Redacts a text that comes in pieces, and holds back no more than its scanner needs to be sure. Joined, what it gives
 * is what the scanner's matches in the whole text would be redacted to, but for a match longer than what is held back.
 */
export class Redactor {
  readonly #scanner: StreamScanner;
  readonly #follower: Follower | undefined;
  /** What was let out last, as it was before: at least as much of it as is context. */
  #passed = '';
  #held = '';
  #isInside = false;
  #lookAgainAt = 0;
  readonly tally: Tally = new Map();

  constructor(scanner: StreamScanner) {
    this.#scanner = scanner;
    this.#follower = scanner.follow?.();
  }

  push(piece: string): string {
    const added = this.#isInside ? this.#leave(piece) : piece;
    if (added === '') return '';
    if (this.#held === '') {
      if (this.#follower?.takes(added)) return this.#keep(added);
      if (this.#scanner.isHarmlessBehind(this.#passed, added)) return this.#pass(added);
    }
    const held = this.#held + added;
    // Of a long run of letters, nothing is learnt from each of them.
    if (this.#held.length >= OFTEN && held.length < this.#lookAgainAt && !/\s/.test(added)) {
      this.#held = held;
      return '';
    }
    const context = this.#passed.slice(-this.#scanner.context);
    const text = context + held;
    const from = context.length;
    const matches = this.#scanner.scan(text, from);
    const settled = this.#scanner.heldFrom(text, from);
    const open = matches.find(({ to }) => to > settled);
    const end = open ? Math.min(settled, open.from) : settled;
    if (text.length - end <= MOST_HELD) {
      return this.#let(text, from, end, open ? matches.filter(({ to }) => to <= end) : matches);
    }
    this.#isInside = matches.at(-1)?.to === text.length;
    return this.#let(text, from, text.length, matches);
  }

  /** The rest. */
  end(): string {
    if (this.#held === '') return '';
    const context = this.#passed.slice(-this.#scanner.context);
    const text = context + this.#held;
    const from = context.length;
    return this.#let(text, from, text.length, this.#scanner.scan(text, from));
  }

  /** What follows on a match that was longer than what is held back. */
  #leave(piece: string): string {
    const rest = piece.replace(this.#scanner.rest, '');
    if (rest !== '') this.#isInside = false;
    return rest;
  }

  #pass(text: string): string {
    this.#keep(text);
    this.#follower?.passed(this.#passed);
    return text;
  }

  #keep(text: string): string {
    this.#passed += text;
    if (this.#passed.length > MOST_KEPT) this.#passed = this.#passed.slice(-this.#scanner.context);
    return text;
  }

  #let(text: string, from: number, end: number, matches: readonly Match[]): string {
    count(this.tally, matches);
    this.#pass(text.slice(from, end));
    this.#held = text.slice(end);
    this.#lookAgainAt = this.#held.length * 1.25;
    if (matches.length === 0) return text.slice(from, end);
    return redacted(text, matches, (kind) => this.#scanner.mark(kind), from, end);
  }
}
