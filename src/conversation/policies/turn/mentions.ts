import { caseless } from '../../log/caseless.ts';

/**
 * The agents that a text names as `@NAME`, in the order in which it does first: without case, and the longest name
 * that fits at a place. Whoever says it is not among them.
 */
export function namesIn(text: string, names: readonly string[], sender: string): string[] {
  const said = caseless(text);
  const wanted = names
    .map((name) => ({ name, form: `@${caseless(name)}` }))
    .sort((one, other) => other.form.length - one.form.length);
  const found = new Set<string>();
  for (let at = said.indexOf('@'); at >= 0; at = said.indexOf('@', at + 1)) {
    // A mail address names nobody.
    if (at > 0 && isLetter(said, at - 1)) continue;
    const named = wanted.find(({ form }) => said.startsWith(form, at) && !isLetter(said, at + form.length));
    if (named) found.add(named.name);
  }
  found.delete(sender);
  return [...found];
}

/** Whether a word goes on there; scripts without spaces between words tell nothing. */
function isLetter(text: string, at: number): boolean {
  const point = text.codePointAt(at);
  if (point === undefined) return false;
  const character = String.fromCodePoint(point);
  return /[\p{L}\p{N}\p{M}_]/u.test(character) && !WITHOUT_SPACES.test(character);
}

const WITHOUT_SPACES =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Thai}]/u;
