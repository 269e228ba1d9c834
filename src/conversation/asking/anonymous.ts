/** Other names for participants, by which nobody is known: `Participant 1`, `2`, … in the order given. */
export interface Aliases {
  /** The alias of each name. */
  readonly of: ReadonlyMap<string, string>;
  /** The name behind each alias. */
  readonly behind: ReadonlyMap<string, string>;
}

export function aliasesFor(names: readonly string[]): Aliases {
  const pairs = names.map((name, index) => [name, `Participant ${index + 1}`] as const);
  return { of: new Map(pairs), behind: new Map(pairs.map(([name, alias]) => [alias, name])) };
}

/** A text with aliases in the place of names, where they stand as whole words. */
export function anonymised(text: string, { of }: Aliases): string {
  const names = [...of.keys()].sort((one, other) => other.length - one.length);
  if (names.length === 0) return text;
  const pattern = names.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  const whole = new RegExp(`(?<![\\p{L}\\p{N}\\p{M}_])(?:${pattern})(?![\\p{L}\\p{N}\\p{M}_])`, 'giu');
  const folded = new Map([...of].map(([name, alias]) => [name.toLowerCase(), alias]));
  return text.replace(whole, (found) => folded.get(found.toLowerCase()) ?? found);
}
