import { styleText } from 'node:util';

/** What may reach a terminal, and in which colour. */

/** Text from elsewhere without control characters, which could move the cursor or speak to the terminal. */
export function printable(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, '');
}

/** The same for names and topics, which stay on one line. */
export function oneLine(text: string): string {
  return printable(text).replace(/\s+/g, ' ').trim();
}

/** JSON with every control character escaped; JSON.stringify lets DEL and C1 through. */
export function printableJson(value: unknown): string {
  const escape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value).replace(/\p{Cc}/gu, escape);
}

type Stream = Pick<NodeJS.WriteStream, 'isTTY'>;

/** Whether more than lines of plain text may be written there. https://no-color.org */
export function hasColours(stream: Stream, environment: NodeJS.ProcessEnv): boolean {
  return isCapable(stream, environment) && !environment['NO_COLOR'];
}

/** Whether a line there can be written anew: it is a terminal, and one that can move its cursor. */
export function isCapable(stream: Stream, { TERM }: NodeJS.ProcessEnv): boolean {
  return stream.isTTY && TERM !== 'dumb';
}

/** Whether people sit there who can be asked. What is asked goes to standard error. */
export function canAsk(environment: NodeJS.ProcessEnv): boolean {
  return process.stdin.isTTY && isCapable(process.stderr, environment);
}

/** For what stands out in a text, on a terminal with colours. */
export function emphasise(text: string): string {
  return styleText(['bold', 'underline'], text, { validateStream: false });
}

type Style = Parameters<typeof styleText>[0];

/** Readable on dark and on light. */
const AGENT_STYLES = ['cyan', 'yellow', 'green', 'magenta', 'blue', 'red'] as const;

/** Colours for agents, one each in the order in which they first speak; plain text without `colours`. */
export class Palette {
  readonly #colours: boolean;
  readonly #agents = new Map<string, number>();

  constructor(colours: boolean) {
    this.#colours = colours;
  }

  agent(name: string, text: string): string {
    const index = this.#agents.get(name) ?? this.#agents.size;
    this.#agents.set(name, index);
    return this.#paint(AGENT_STYLES[index % AGENT_STYLES.length] ?? 'dim', text);
  }

  /** For what nobody in the conversation said. */
  aside(text: string): string {
    return this.#paint('dim', text);
  }

  #paint(style: Style, text: string): string {
    return this.#colours ? styleText(style, text, { validateStream: false }) : text;
  }
}
