import { applyFrame, EMPTY_TRANSCRIPT, type Transcript } from '../client/transcript.ts';
import type { Ending, Message, StreamFrame } from '../client/types.ts';
import { oneLine, Palette, printable } from './terminal.ts';

/** Turns the frames of one conversation into lines of text, a message growing as it is spoken. */
export class Printer {
  readonly #palette: Palette;
  #transcript: Transcript = EMPTY_TRANSCRIPT;
  /** Whether the last line printed is a message that isn't complete. */
  #open = false;
  #tokens = { input: 0, output: 0 };

  constructor(colours: boolean) {
    this.#palette = new Palette(colours);
  }

  /** What to print for this frame; never a control character from the frame itself. */
  print(frame: StreamFrame): string {
    const before = this.#transcript.underWay;
    this.#transcript = applyFrame(this.#transcript, frame);
    switch (frame.type) {
      case 'conversation.created':
        return this.#aside(`Topic: ${oneLine(frame.settings.topic)}\n`);
      case 'turn.started':
        return this.#startLine(frame.agent, frame.model);
      case 'turn.delta': {
        const goesOn = this.#open && before?.attempt === frame.attempt;
        return (goesOn ? '' : this.#startLine(frame.agent)) + printable(frame.text);
      }
      case 'turn.failed':
        return this.#failed(frame.error, frame.retryInMs);
      case 'message':
        return this.#message(frame.message, before?.turn === frame.message.turn ? before.text : undefined);
      case 'conversation.paused':
        return this.#aside('[paused]');
      case 'conversation.resumed':
        return this.#aside('[resumed]');
      case 'conversation.nudged':
        return this.#aside(`[Moderator: ${oneLine(frame.content)}]`);
      case 'conversation.terminated':
        return this.#aside(`\n${this.#summary(frame)}`);
      default:
        return '';
    }
  }

  #startLine(sender: string, model?: string): string {
    const left = this.endLine();
    this.#open = true;
    return left + this.#header(sender, model);
  }

  /** What to print before something else is said in between. */
  endLine(): string {
    const text = this.#open ? '\n' : '';
    this.#open = false;
    return text;
  }

  #aside(text: string): string {
    return `${this.endLine()}${this.#palette.aside(text)}\n`;
  }

  #header(sender: string, model?: string): string {
    const name = oneLine(sender);
    return `${this.#palette.agent(name, model === undefined ? `${name}:` : `${name} (${oneLine(model)}):`)} `;
  }

  #failed(error: string, retryInMs: number | null): string {
    const again = retryInMs === null ? '' : `; trying again in ${Math.round(retryInMs / 100) / 10} s`;
    return this.#aside(`[attempt failed: ${oneLine(error)}${again}]`);
  }

  /** The rest of what was shown as it was spoken, or all of it where it was not, or turned out different. */
  #message(message: Message, spoken: string | undefined): string {
    const { content, sender, metadata } = message;
    this.#tokens.input += metadata.inputTokens ?? 0;
    this.#tokens.output += metadata.outputTokens ?? 0;
    const goesOn = this.#open && spoken !== undefined && content.startsWith(spoken);
    const text = goesOn
      ? printable(content.slice(spoken.length))
      : this.#startLine(sender, metadata.model) + printable(content);
    this.#open = true;
    return text + this.endLine();
  }

  #summary({ reason, detail, by }: Ending): string {
    const turns = Math.max(0, ...this.#transcript.messages.map(({ turn }) => turn));
    const { input, output } = this.#tokens;
    const why = `${reason}${detail ? ` (${oneLine(detail)})` : ''}, by ${by}`;
    const number = (value: number) => value.toLocaleString('en');
    return (
      `Ended: ${why}. ${number(turns)} turn${turns === 1 ? '' : 's'}, ${number(input + output)} tokens ` +
      `(${number(input)} in, ${number(output)} out).`
    );
  }
}
