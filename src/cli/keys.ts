import { createHash, randomBytes } from 'node:crypto';
import { type KeyEntry, keyEntry } from '../protocol/keys.ts';

/** A key that was just made: what its holder sends, and what API_KEYS is to have, which doesn't tell it. */
export interface CreatedKey {
  /** `aic_` and 256 random bits. */
  key: string;
  entry: KeyEntry;
}

/**
 * Makes a key.
 *
 * @throws ZodError where the entry isn't one, say for a scope that there is not
 */
export function createKey(
  entry: Pick<KeyEntry, 'name' | 'tenant'> & { scopes: readonly string[] } & Partial<
      Pick<KeyEntry, 'expiresAt' | 'limits'>
    >,
): CreatedKey {
  const key = `aic_${randomBytes(32).toString('base64url')}`;
  const sha256 = createHash('sha256').update(key).digest('hex');
  return { key, entry: keyEntry.parse({ ...entry, sha256 }) };
}
