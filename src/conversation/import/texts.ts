/** How deeply an imported event may be nested. */
const DEEPEST = 32;

/** Fields of events that are no text of anybody's. */
const NO_TEXT: ReadonlySet<string> = new Set([
  'type',
  'at',
  'timestamp',
  'attempt',
  'traceparent',
  'provider',
  'model',
]);

/**
 * All texts in a value, by their dotted paths, and names of fields, which may be agents' names.
 *
 * @returns undefined where it is nested too deeply to be looked at
 */
export function textsIn(root: unknown, path: string): Map<string, string> | undefined {
  const texts = new Map<string, string>();
  const open: { value: unknown; path: string; depth: number }[] = [{ value: root, path, depth: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string' && value.trim() !== '') texts.set(next.path, value);
    if (value === null || typeof value !== 'object') continue;
    if (depth === DEEPEST) return undefined;
    for (const [name, inner] of Object.entries(value)) {
      if (!NO_TEXT.has(name)) open.push({ value: inner, path: `${next.path}.${name}`, depth: depth + 1 });
    }
  }
  return texts;
}

/** The same value with other texts in the place of some, also where they are names of fields. */
export function withTexts(value: unknown, texts: ReadonlyMap<string, string>, isText = true): unknown {
  if (typeof value === 'string') return isText ? (texts.get(value) ?? value) : value;
  if (Array.isArray(value)) return value.map((each) => withTexts(each, texts));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      texts.get(name) ?? name,
      withTexts(inner, texts, !NO_TEXT.has(name)),
    ]),
  );
}
