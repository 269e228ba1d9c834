import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type KeyEntry, keyEntry } from '../protocol/keys.ts';

const MAX_SHOWN = 5;
/** The longest that a timer waits, in milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** What is wrong with a list of keys; one line, without any value. */
export class KeysError extends Error {
  override readonly name = 'KeysError';
}

/**
 * Reads a JSON array of entries; docs/protocol.md, section 8.3.
 *
 * @throws KeysError
 */
export function parseKeys(text: string): readonly KeyEntry[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // What JSON.parse says of it quotes the text.
    throw new KeysError('takes a JSON array of keys, and this is no JSON');
  }
  const { data: entries, error } = z.array(keyEntry).min(1, 'takes one key at least').safeParse(json);
  if (error) {
    const faults = error.issues.map(({ path, message }) => [path.join('.'), message].join(' ').trim());
    const rest = faults.length > MAX_SHOWN ? ` and ${faults.length - MAX_SHOWN} more` : '';
    throw new KeysError(`${faults.slice(0, MAX_SHOWN).join('; ')}${rest}`);
  }
  for (const field of ['name', 'sha256'] as const) {
    const seen = new Set(entries.map((entry) => entry[field]));
    if (seen.size < entries.length) throw new KeysError(`takes keys of which no two have the same ${field}`);
  }
  return entries;
}

/** In hex. */
function digestOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

/** The keys that are in force. It knows their digests alone. */
export class Keyring {
  #entries: ReadonlyMap<string, KeyEntry> = new Map();
  #byName: ReadonlyMap<string, KeyEntry> = new Map();
  readonly #now: () => number;
  readonly #listeners = new Set<() => void>();
  #expiry: NodeJS.Timeout | undefined;

  /** @param now in milliseconds since 1970 */
  constructor(entries: readonly KeyEntry[], now: () => number = Date.now) {
    this.#now = now;
    this.replace(entries);
  }

  /** Puts other keys in the place of all. */
  replace(entries: readonly KeyEntry[]): void {
    this.#entries = new Map(entries.map((entry) => [entry.sha256, entry]));
    this.#byName = new Map(entries.map((entry) => [entry.name, entry]));
    this.#changed();
  }

  /** The entry of a key; undefined where it is none, or has expired. The work is the same in all cases. */
  find(key: string | undefined): KeyEntry | undefined {
    const entry = this.byDigest(digestOf(key ?? ''));
    return key === undefined ? undefined : entry;
  }

  byDigest(sha256: string): KeyEntry | undefined {
    const entry = this.#entries.get(sha256);
    return entry && expiryOf(entry) > this.#now() ? entry : undefined;
  }

  /** The entry with a name, also where it has expired: what it made goes on under its limits. */
  byName(name: string): KeyEntry | undefined {
    return this.#byName.get(name);
  }

  /** Has a listener told whenever keys were replaced, or one has expired. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener);
  }

  close(): void {
    clearTimeout(this.#expiry);
    this.#listeners.clear();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
    clearTimeout(this.#expiry);
    const now = this.#now();
    const next = Math.min(...[...this.#entries.values()].map(expiryOf).filter((expiry) => expiry > now));
    if (next === Infinity) return;
    this.#expiry = setTimeout(() => this.#changed(), Math.min(next - now, LONGEST_TIMER_MS)).unref();
  }
}

function expiryOf({ expiresAt }: KeyEntry): number {
  return expiresAt === undefined ? Infinity : Date.parse(expiresAt);
}
