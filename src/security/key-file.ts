import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import type { KeyEntry } from '../protocol/keys.ts';
import { Keyring, KeysError, parseKeys } from './keyring.ts';

/** How often the file is looked at, in milliseconds: nothing tells of what is mounted into a container. */
const LOOKED_AT_EVERY_MS = 500;

/** The keys that a server asks for. */
export interface Keys {
  keyring: Keyring;
  /** Puts the keys that the file has now in force; a faulty file changes nothing. Without a file nothing is done. */
  reread(): void;
  close(): void;
}

interface Log {
  info: (fields: object, event: string) => void;
  error: (fields: object, event: string) => void;
}

/**
 * The keys that are in force: those of a list, or those of a file, as that is from now on.
 *
 * @param log is told of each change of the file, and of what is wrong with one
 * @returns undefined where nobody is asked for a key
 */
export function keysInForce(
  list: readonly KeyEntry[] | undefined,
  file: { path: string; entries: readonly KeyEntry[] } | undefined,
  log: Log,
): Keys | undefined {
  const entries = list ?? file?.entries;
  if (!entries) return undefined;
  const keyring = new Keyring(entries);
  if (!file) return { keyring, reread: () => {}, close: () => keyring.close() };
  const reread = (): void => {
    try {
      const changed = readKeyFile(file.path);
      keyring.replace(changed);
      log.info({ count: changed.length }, 'keys.changed');
    } catch (error) {
      log.error({ problem: error instanceof KeysError ? error.message : String(error) }, 'keys.refused');
    }
  };
  watchFile(file.path, { interval: LOOKED_AT_EVERY_MS, persistent: false }, reread);
  return {
    keyring,
    reread,
    close() {
      unwatchFile(file.path, reread);
      keyring.close();
    },
  };
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
