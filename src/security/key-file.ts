import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { type Keyring, KeysError, parseKeys } from './keyring.ts';

/** How often the file is looked at, in milliseconds: nothing tells of what is mounted into a container. */
const LOOKED_AT_EVERY_MS = 500;

/** A file with keys, as API_KEYS_FILE names it. */
export interface KeyFile {
  /** Puts the keys that it has now in force; a faulty file changes nothing. */
  reread(): void;
  close(): void;
}

/**
 * Keeps a keyring as a file has it.
 *
 * @param told of each change, or of what is wrong with one
 */
export function followKeyFile(
  path: string,
  keyring: Keyring,
  told: { changed: (keys: number) => void; refused: (problem: string) => void },
): KeyFile {
  const reread = (): void => {
    try {
      const entries = readKeyFile(path);
      keyring.replace(entries);
      told.changed(entries.length);
    } catch (error) {
      told.refused(error instanceof KeysError ? error.message : String(error));
    }
  };
  watchFile(path, { interval: LOOKED_AT_EVERY_MS, persistent: false }, reread);
  return { reread, close: () => unwatchFile(path, reread) };
}

/** @throws KeysError where it can't be read, or has no keys */
export function readKeyFile(path: string): ReturnType<typeof parseKeys> {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new KeysError(`takes a file that can be read: ${(error as NodeJS.ErrnoException).code}`);
  }
  return parseKeys(text);
}
