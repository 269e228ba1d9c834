import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Secret } from './secrets.ts';

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
/** https://nvlpubs.nist.gov/nistpubs/Legacy/SP/nistspecialpublication800-38d.pdf, section 5.2 */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Keeps texts so that only who has the key can read them, each for the one thing that it is of. */
export class Vault {
  readonly #key: Buffer;

  /** @param purpose what it is for: the same secret gives other keys for other purposes */
  constructor(secret: Secret, purpose: string) {
    this.#key = Buffer.from(hkdfSync('sha256', secret.reveal(), '', purpose, KEY_BYTES));
  }

  seal(text: string, owner: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, this.#key, nonce).setAAD(Buffer.from(owner));
    const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64');
  }

  /** @throws Error where it was sealed by another key, or for another owner */
  open(sealed: string, owner: string): string {
    const bytes = Buffer.from(sealed, 'base64');
    const decipher = createDecipheriv(CIPHER, this.#key, bytes.subarray(0, NONCE_BYTES));
    decipher.setAAD(Buffer.from(owner));
    decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
    const text = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
    return Buffer.concat([text, decipher.final()]).toString('utf8');
  }
}
