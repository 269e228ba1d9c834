import { InvalidArgumentError } from 'commander';

/** How the command line reads values. Each throws InvalidArgumentError that says what it takes. */

export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError('It takes a whole number.');
  return Number(text);
}

export function dollarsOption(text: string): number {
  const plain = text.replace(/^\$/, '');
  if (!/^(\d+\.?\d*|\.\d+)$/.test(plain) || Number(plain) <= 0) {
    throw new InvalidArgumentError('It takes an amount in dollars such as 0.50.');
  }
  return Number(plain);
}

/** For an option that may be given several times. */
export function list(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Entries of conversations' metadata, as queries name them. */
export type Labels = Record<`label.${string}`, string>;

export function labels(text: string, before: Labels = {}): Labels {
  const [, key, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (key === undefined || value === undefined) throw new InvalidArgumentError('It takes KEY=VALUE.');
  return { ...before, [`label.${key}`]: value };
}

/** The command that a word is a slip of the keys away from, or the beginning of. */
export function nearestCommand(word: string, commands: readonly string[]): string | undefined {
  const typed = word.toLowerCase();
  const allowed = Math.max(1, Math.floor(typed.length / 3));
  const begun = commands.find((command) => typed.length >= 3 && command.startsWith(typed));
  if (begun !== undefined) return begun;
  const distances = commands.map((command) => ({ command, distance: slips(typed, command) }));
  const nearest = distances.sort((left, right) => left.distance - right.distance)[0];
  return nearest && nearest.distance <= allowed ? nearest.command : undefined;
}

/** Letters left out, put in, replaced or swapped with their neighbour: the optimal string alignment distance. */
function slips(from: string, to: string): number {
  const rows: number[][] = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? Infinity;
  for (let row = 1; row <= from.length; row++) {
    rows.push([row]);
    for (let column = 1; column <= to.length; column++) {
      const replaced = at(row - 1, column - 1) + (from[row - 1] === to[column - 1] ? 0 : 1);
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = isSwap ? at(row - 2, column - 2) + 1 : Infinity;
      rows[row]?.push(Math.min(replaced, swapped, at(row - 1, column) + 1, at(row, column - 1) + 1));
    }
  }
  return at(from.length, to.length);
}
