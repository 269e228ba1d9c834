import { applyFrame, EMPTY_TRANSCRIPT, type Transcript } from '../client/transcript.ts';
import type { Message, StreamFrame } from '../client/types.ts';
import { outcomeLines } from './outcome.ts';
import { oneLine, Palette, printable } from './terminal.ts';

/** What to write for a frame: what was said to standard output, what is told about it to standard error. */
export interface Printed {
  said: string;
  aside: string;
}

export interface Colours {
  said: boolean;
  aside: boolean;
}

/** Turns the frames of one conversation into lines of text, a message growing as it is spoken. */
export class Printer {
  readonly #names: Palette;
  readonly #asides: Palette;
  #transcript: Transcript = EMPTY_TRANSCRIPT;
  /** Whether the last line printed is a message that isn't complete. */
  #open = false;
  readonly #models = new Map<string, string>();

  constructor({ said, aside }: Colours) {
    this.#names = new Palette(said);
    this.#asides = new Palette(aside);
  }

  get transcript(): Transcript {
    return this.#transcript;
  }

  /** Never a control character from the frame itself. */
  print(frame: StreamFrame): Printed {
    const before = this.#transcript.underWay;
    this.#transcript = applyFrame(this.#transcript, frame);
    switch (frame.type) {
      case 'conversation.created':
        return this.#aside(`Topic: ${oneLine(frame.settings.topic)}\n${frame.conversationId}\n`);
      case 'turn.started':
        this.#models.set(frame.attempt, frame.model);
        return { said: this.endLine(), aside: '' };
      case 'turn.delta': {
        const goesOn = this.#open && before?.attempt === frame.attempt;
        const header = goesOn ? '' : this.#startLine(frame.agent, this.#models.get(frame.attempt));
        return { said: header + printable(frame.text), aside: '' };
      }
      case 'turn.failed':
        return this.#aside(`[attempt failed: ${oneLine(frame.error)}${again(frame.retryInMs)}]`);
      case 'message':
        return this.#message(frame.message, before?.turn === frame.message.turn ? before.text : undefined);
      case 'conversation.paused':
        return this.#aside(`[${pauseText(frame)}]`);
      case 'conversation.resumed':
        return this.#aside('[resumed]');
      case 'conversation.nudged':
        return this.#aside(`[Moderator: ${oneLine(frame.content)}]`);
      case 'message.retracted':
        return this.#aside(`[message ${frame.target} is retracted]`);
      case 'speaker.chosen':
        return this.#aside(`[${oneLine(frame.agent)} speaks next]`);
      case 'vote.closed':
      case 'verdict.given':
        return { said: this.endLine() + outcomeLines(frame), aside: '' };
      default:
        return { said: '', aside: '' };
    }
  }

  /** What to print before something else is said in between. */
  endLine(): string {
    const text = this.#open ? '\n' : '';
    this.#open = false;
    return text;
  }

  #startLine(sender: string, model?: string): string {
    const left = this.endLine();
    this.#open = true;
    return left + this.#header(sender, model);
  }

  #aside(text: string): Printed {
    return { said: this.endLine(), aside: `${this.#asides.aside(text)}\n` };
  }

  #header(sender: string, model?: string): string {
    const name = oneLine(sender);
    return `${this.#names.agent(name, model === undefined ? `${name}:` : `${name} (${oneLine(model)}):`)} `;
  }

  /** The rest of what was shown as it was spoken, or all of it where it was not, or turned out different. */
  #message({ content, sender, metadata }: Message, spoken: string | undefined): Printed {
    const goesOn = this.#open && spoken !== undefined && content.startsWith(spoken);
    const text = goesOn
      ? printable(content.slice(spoken.length))
      : this.#startLine(sender, metadata.model) + printable(content);
    this.#open = true;
    return { said: text + this.endLine(), aside: '' };
  }
}

function again(retryInMs: number | null): string {
  return retryInMs === null ? '' : `; trying again in ${Math.round(retryInMs / 100) / 10} s`;
}

function pauseText(frame: Extract<StreamFrame, { type: 'conversation.paused' }>): string {
  const agent = frame.agent === undefined ? '' : oneLine(frame.agent);
  if (frame.for === 'human') return `paused: it is ${agent}'s turn; \`aic say\` takes it`;
  if (frame.for === 'approval') return `paused: a reply of ${agent} waits for approval`;
  return `paused${frame.detail === undefined ? '' : `: ${oneLine(frame.detail)}`}`;
}
