/** Other names for participants, by which nobody is known: `Participant 1`, `2`, … in the order given. */
export interface Aliases {
  /** The alias of each name. */
  readonly of: ReadonlyMap<string, string>;
  /** The name behind each alias. */
  readonly behind: ReadonlyMap<string, string>;
  /** A text with aliases in the place of names, where they stand as whole words. */
  readonly hide: (text: string) => string;
}

export function aliasesFor(names: readonly string[]): Aliases {
  const pairs = names.map((name, index) => [name, `Participant ${index + 1}`] as const);
  return {
    of: new Map(pairs),
    behind: new Map(pairs.map(([name, alias]) => [alias, name])),
    hide: names.length === 0 ? (text) => text : replacer(pairs),
  };
}

function replacer(pairs: readonly (readonly [name: string, alias: string])[]): (text: string) => string {
  const longestFirst = pairs.map(([name]) => name).sort((one, other) => other.length - one.length);
  const pattern = longestFirst.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  const whole = new RegExp(`(?<![\\p{L}\\p{N}\\p{M}_])(?:${pattern})(?![\\p{L}\\p{N}\\p{M}_])`, 'giu');
  const folded = new Map(pairs.map(([name, alias]) => [name.toLowerCase(), alias]));
  return (text) => text.replace(whole, (found) => folded.get(found.toLowerCase()) ?? found);
}
