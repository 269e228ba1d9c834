import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '../../security/secrets.ts';

const KEY_FILE = 'webhooks.key';

/** The key of a folder's own that its webhooks' secrets are sealed by; it is made where there is none. */
export function keyIn(folder: string): Secret {
  const path = join(folder, KEY_FILE);
  if (!existsSync(path)) {
    writeFileSync(path, `${randomBytes(32).toString('base64url')}\n`, {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    });
  }
  return new Secret(readFileSync(path, 'utf8').trim());
}
