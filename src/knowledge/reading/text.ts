import { UnreadableError } from './unreadable.ts';

/** The text of a file: UTF-8, or UTF-16 where its mark says so; anything else is said to be what it isn't. */
export function decoded(bytes: Uint8Array): string {
  const [first, second] = bytes;
  const encoding =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new UnreadableError(
      `it is not ${encoding === 'utf-8' ? 'UTF-8' : 'UTF-16, as its mark says'}; save it as UTF-8`,
    );
  }
}

/**
 * A text as it is kept: lines end in one way, and it has no control characters, half surrogates or marks of byte
 * order, none of which can be seen.
 *
 * @throws UnreadableError where nothing is left
 */
export function tidied(text: string): string {
  const tidy = text
    .toWellFormed()
    .replaceAll(/\r\n?/g, '\n')
    // oxlint-disable-next-line no-control-regex -- control characters are what it is about
    .replaceAll(/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F\uFEFF\uFFFE\uFFFF]/g, '');
  if (tidy.trim() === '') throw new UnreadableError('there is no text in it');
  return tidy;
}
