import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { CommandError, EXIT } from './exit.ts';

/**
 * A file's text; `-` is standard input.
 *
 * @throws CommandError where it can't be read
 */
async function readTextFile(path: string): Promise<string> {
  if (path === '-') return text(process.stdin);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw unreadable(path, error);
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
