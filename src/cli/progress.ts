import type { StreamFrame } from '../client/types.ts';
import { count, dollars, duration } from './figures.ts';
import type { Tally } from './tally.ts';
import { hasColours, isCapable, oneLine } from './terminal.ts';

/** A line that is written anew. */
export interface StatusLine {
  show(text: string): void;
  /** Takes it away, so that something else can be written. */
  clear(): void;
}

const NO_LINE: StatusLine = { show: () => {}, clear: () => {} };

/** A line on standard error where people look at both outputs; none within `$(…)`, in a pipe or on a dumb terminal. */
export async function openStatusLine(environment: NodeJS.ProcessEnv): Promise<StatusLine> {
  if (!process.stdout.isTTY || !isCapable(process.stderr, environment)) return NO_LINE;
  const { createLogUpdate } = await import('log-update');
  const { styleText } = await import('node:util');
  // A process that is killed would leave a hidden cursor behind.
  const update = createLogUpdate(process.stderr, { showCursor: true });
  const colours = hasColours(process.stderr, environment);
  return {
    show: (text) => update(colours ? styleText('dim', text, { validateStream: false }) : text),
    clear: () => update.clear(),
  };
}

/** How far a conversation is, in one line: shown while nobody's words come. */
export class Progress {
  readonly #line: StatusLine;
  readonly #tally: Tally;
  readonly #now: () => number;
  #maxTurns: number | undefined;
  #firstTurnAt: number | undefined;
  #turnsBefore = 0;
  #tokensBefore = 0;
  #shown = '';

  /** @param now milliseconds of a clock that only goes forward */
  constructor(line: StatusLine, tally: Tally, now: () => number = () => performance.now()) {
    this.#line = line;
    this.#tally = tally;
    this.#now = now;
  }

  /** To be called behind the tally and before anything of the frame is written. */
  take(frame: StreamFrame): void {
    this.#hide();
    if (frame.type === 'conversation.created') this.#maxTurns = frame.settings.maxTurns;
    if (frame.type === 'turn.started' && this.#firstTurnAt === undefined) {
      this.#firstTurnAt = this.#now();
      this.#turnsBefore = this.#tally.turns;
      this.#tokensBefore = this.#tally.total.outputTokens;
    }
  }

  /** To be called when all of the frame is written. */
  show(frame: StreamFrame): void {
    if (frame.type === 'turn.started') this.#write(`${oneLine(frame.agent)} …`);
    else if (frame.type === 'turn.failed') this.#write('waiting to try again …');
    else if (frame.type === 'conversation.paused') this.#write('paused');
  }

  /** Writes it again, in the terminal's new width. */
  redraw(): void {
    if (this.#shown !== '') this.#line.show(this.#shown);
  }

  stop(): void {
    this.#hide();
  }

  #hide(): void {
    if (this.#shown !== '') this.#line.clear();
    this.#shown = '';
  }

  #write(doing: string): void {
    const { total, turns } = this.#tally;
    const parts = [
      this.#maxTurns === undefined ? `turn ${turns + 1}` : `turn ${turns + 1} of ${this.#maxTurns}`,
      count(total.inputTokens + total.outputTokens, 'token'),
      dollars(total.costUsd),
      ...this.#pace(),
    ];
    this.#shown = `${doing} ${parts.join(' · ')}`;
    this.#line.show(this.#shown);
  }

  /** The tokens a second, and how long it may still take at most; from what was seen here alone. */
  #pace(): string[] {
    const seen = this.#tally.turns - this.#turnsBefore;
    const seconds = (this.#now() - (this.#firstTurnAt ?? this.#now())) / 1000;
    if (seen === 0 || seconds <= 0) return [];
    const rate = Math.round((this.#tally.total.outputTokens - this.#tokensBefore) / seconds);
    const left =
      this.#maxTurns === undefined ? undefined : (this.#maxTurns - this.#tally.turns) * (seconds / seen);
    return [`${rate} tokens/s`, ...(left === undefined ? [] : [`${duration(left)} left`])];
  }
}
