/** What came can't be read; the message says why to whoever sent it. */
export class UnreadableError extends Error {
  override readonly name = 'UnreadableError';
}

/** Characters of a text that was taken out of a file: the same as a text may have that comes as one. */
const MOST_CHARACTERS = 20 * 1024 * 1024;

export function assertFits(characters: number): void {
  if (characters > MOST_CHARACTERS) {
    throw new UnreadableError(`it unpacks to more than ${MOST_CHARACTERS.toLocaleString('en')} characters`);
  }
}
