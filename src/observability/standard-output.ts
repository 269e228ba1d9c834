import { write, writeSync } from 'node:fs';
import { type LineSink, prettifier } from './logger.ts';

/** What could not be told. */
export interface LogLosses {
  /** Writes that failed; each is tried again. */
  failedWrites: number;
  /** Lines for which there was no more room. */
  lostLines: number;
}

const STDOUT = 1;
/** So much is written at once, in characters; less of it after a while, in milliseconds. */
const BLOCK_CHARACTERS = 8192;
const GATHER_MS = 100;
/** After so long, in milliseconds, what could not be written is tried again. */
const RETRY_MS = 100;
/** Of lines that wait for who takes them, in characters; those that come beyond it are lost. */
const MAX_WAITING_CHARACTERS = 1024 * 1024;

/**
 * Standard output, written in blocks and never waited for: where it takes nothing, or refuses what it gets as a full
 * disk does, lines wait, then are lost, and the server serves on. Lines are JSON, in a terminal text for people.
 */
export async function standardOutput(isTerminal: boolean = process.stdout.isTTY): Promise<StandardOutput> {
  return new StandardOutput(isTerminal ? await prettifier() : (line) => line);
}

export class StandardOutput implements LineSink {
  readonly losses: LogLosses = { failedWrites: 0, lostLines: 0 };
  readonly #shown: (line: string) => string;
  #waiting = '';
  /** What is being written, or is to be tried again. */
  #block: Buffer | undefined;
  #isUnderWay = false;
  #isTimed = false;
  #flushes: (() => void)[] = [];

  constructor(shown: (line: string) => string) {
    this.#shown = shown;
    process.once('exit', () => this.#leave());
  }

  write(line: string): void {
    const text = this.#shown(line);
    const waiting = this.#waiting.length + (this.#block?.length ?? 0);
    if (waiting + text.length > MAX_WAITING_CHARACTERS) {
      this.losses.lostLines++;
      return;
    }
    this.#waiting += text;
    if (this.#waiting.length >= BLOCK_CHARACTERS) this.#begin();
    else this.#soon(GATHER_MS);
  }

  /**
   * Fulfilled when all lines are written in their order, or can't be; where somebody takes none, it is never.
   */
  flush(): Promise<void> {
    return new Promise((resolve) => {
      this.#flushes.push(resolve);
      this.#begin();
    });
  }

  #soon(milliseconds: number): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    setTimeout(() => {
      this.#isTimed = false;
      this.#begin();
    }, milliseconds).unref();
  }

  #begin(): void {
    if (this.#isUnderWay) return;
    if (this.#block === undefined && this.#waiting !== '') {
      this.#block = Buffer.from(this.#waiting);
      this.#waiting = '';
    }
    if (this.#block === undefined) return this.#settle();
    this.#isUnderWay = true;
    write(STDOUT, this.#block, (error, written) => {
      this.#isUnderWay = false;
      if (error) this.#fail(error);
      else {
        const rest = this.#block?.subarray(written);
        this.#block = rest?.length ? rest : undefined;
        if (this.#block !== undefined || this.#flushes.length > 0) this.#begin();
        else if (this.#waiting.length >= BLOCK_CHARACTERS) this.#begin();
        else if (this.#waiting !== '') this.#soon(GATHER_MS);
      }
    });
  }

  #fail({ code }: NodeJS.ErrnoException): void {
    this.#soon(RETRY_MS);
    // Who reads takes nothing at the moment.
    if (code === 'EAGAIN') return;
    this.losses.failedWrites++;
    this.#settle();
  }

  #settle(): void {
    for (const resolve of this.#flushes.splice(0)) resolve();
  }

  /** The last lines of a process that ends by itself; once, for nobody can wait any more. */
  #leave(): void {
    // They can't overtake what is being written.
    if (this.#isUnderWay) return;
    try {
      writeSync(STDOUT, Buffer.concat([this.#block ?? Buffer.alloc(0), Buffer.from(this.#waiting)]));
    } catch {
      // Nobody is left who could be told.
    }
  }
}
