import { once } from 'node:events';
import { EXIT } from './exit.ts';
import { printable, printableJson } from './terminal.ts';

/** Data, and nothing else, goes to standard output. Waits while the terminal or the pipe is full. */
export async function write(text: string): Promise<void> {
  if (text !== '' && !process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** An object of the protocol on a line of its own. */
export function writeJson(value: unknown): Promise<void> {
  return write(`${printableJson(value)}\n`);
}

/** All that is no data, on standard error. */
export function say(text: string): void {
  process.stderr.write(`${printable(text)}\n`);
}

/** A reader such as `head` that has seen enough is no failure. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed);
  });
}

/** Ends the process as soon as what was written is out; a socket that is still open doesn't hold it. */
export function endWith(exitCode: number): void {
  process.exitCode = exitCode;
  process.stdout.write('', () => process.stderr.write('', () => process.exit(exitCode)));
}
