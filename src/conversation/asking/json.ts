import { caseless } from '../log/caseless.ts';

/** The first object in an answer that reads as JSON: alone, in a fence, or with prose around it. */
export function jsonIn(text: string): Record<string, unknown> | undefined {
  for (let start = text.indexOf('{'), tries = 0; start >= 0 && tries < MOST_TRIES; tries++) {
    const end = endOf(text, start);
    if (end === undefined) return undefined;
    try {
      const value: unknown = JSON.parse(text.slice(start, end));
      if (isObject(value)) return value;
    } catch {
      // Braces in prose; the next one may begin the answer.
    }
    start = text.indexOf('{', start + 1);
  }
  return undefined;
}

/** Braces that are tried as the beginning of an answer. */
const MOST_TRIES = 20;

/** Behind the brace that closes the one at `start`; undefined where it stays open. */
function endOf(text: string, start: number): number | undefined {
  let depth = 0;
  let isQuoted = false;
  for (let at = start; at < text.length; at++) {
    const character = text[at];
    if (isQuoted) {
      if (character === '\\') at++;
      else if (character === '"') isQuoted = false;
    } else if (character === '"') isQuoted = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return at + 1;
  }
  return undefined;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function textOf(value: unknown): string | null {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : null;
}

/** Which of several a text means: the very one, without case and quotation marks around it. */
export function oneOf(said: unknown, options: readonly string[]): string | undefined {
  if (typeof said !== 'string' && typeof said !== 'number') return undefined;
  const plain = caseless(
    String(said)
      .trim()
      .replace(/^["'`*@«“]+|["'`*.»”]+$/gu, '')
      .trim(),
  );
  return options.find((option) => caseless(option) === plain);
}

/** The one of several that a text holds as whole words, where it holds exactly one. */
export function onlyOneIn(text: string, options: readonly string[]): string | undefined {
  const found = options.filter((option) => holdsWord(text, option));
  // One that is a part of another that is there, too, is not meant by itself.
  const meant = found.filter(
    (option) => !found.some((other) => other !== option && caseless(other).includes(caseless(option))),
  );
  return meant.length === 1 ? meant[0] : undefined;
}

/** Whether a text holds another one as whole words, without case. */
function holdsWord(text: string, wanted: string): boolean {
  const said = caseless(text);
  const form = caseless(wanted);
  for (let at = said.indexOf(form); at >= 0; at = said.indexOf(form, at + 1)) {
    const before = said.slice(0, at).match(/.$/su)?.[0] ?? '';
    const after = String.fromCodePoint(said.codePointAt(at + form.length) ?? 32);
    if (!WORD.test(before) && !WORD.test(after)) return true;
  }
  return false;
}

const WORD = /[\p{L}\p{N}\p{M}_]/u;
