import { readFile, stat } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { CommandError, EXIT } from './exit.ts';

/**
 * A file's text; `-` is standard input.
 *
 * @param most bytes that it may have
 * @throws CommandError where it can't be read, or has more
 */
export async function readTextFile(path: string, most = Number.POSITIVE_INFINITY): Promise<string> {
  if (path === '-') return text(process.stdin);
  try {
    const { size } = await stat(path);
    if (size > most) throw new CommandError(EXIT.usage, `${path} is larger than ${most / 2 ** 20} MiB`);
    return await readFile(path, 'utf8');
  } catch (error) {
    throw error instanceof CommandError ? error : unreadable(path, error);
  }
}

/** @throws CommandError where it can't be read, or is no JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  const given = await readTextFile(path);
  try {
    return JSON.parse(given);
  } catch (error) {
    throw new CommandError(EXIT.usage, `${path} is no JSON: ${(error as Error).message}`, { cause: error });
  }
}

/** @throws CommandError where it can't be read */
export async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): CommandError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'there is no such file' : code;
  return new CommandError(EXIT.usage, `${path} can't be read: ${why}`, { cause: error });
}
