import { start } from '../text/start-texts.ts';
import { faultOfCondition } from './condition.ts';

/** What was typed as the request wants it, or what is wrong with it. Nobody asks of nothing. */
export type Read = { value: unknown } | { fault: string };

/** @param names of all agents; empty where one of them has none */
export type Reader = (text: string, names: readonly string[]) => Read;

/** The names within a line, of whatever the request knows by name. */
const NAMED_LINE = /^(.{1,64}?)\s*(?:\(([\d.]+)\))?\s*:\s*(.+)$/u;

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function isWhole(text: string, least: number, most: number): boolean {
  return /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most;
}

/** A whole number, both ends included. */
export function whole(least: number, most: number): Reader {
  return (text) =>
    isWhole(text, least, most) ? { value: Number(text) } : { fault: start.wholeNumber(least, most) };
}

/** A number, both ends included. */
export function number(least: number, most: number): Reader {
  return (text) => {
    const value = decimalOf(text);
    return value >= least && value <= most ? { value } : { fault: start.number(least, most) };
  };
}

/** A number above 0. */
export function above(most: number, times = 1): Reader {
  return (text) => {
    const value = decimalOf(text);
    return value > 0 && value <= most ? { value: value * times } : { fault: start.above(most) };
  };
}

/** Many keyboards have a comma for it. */
function decimalOf(text: string): number {
  return Number(text.replace(',', '.'));
}

export function words(most: number): Reader {
  return (text) => ([...text].length > most ? { fault: start.tooLong(most) } : { value: text });
}

export const flag: Reader = (text) => ({ value: text === 'yes' });
export const choice: Reader = (text) => ({ value: text });
export const lines: Reader = (text) => ({ value: linesOf(text) });

/** Text or a whole number. */
export const seed: Reader = (text) =>
  Number.isSafeInteger(Number(text)) ? { value: Number(text) } : words(200)(text, []);

export const minutes: Reader = (text) => {
  const value = decimalOf(text);
  return value > 0 && value <= 1440
    ? { value: Math.max(1, Math.round(value * 60)) }
    : { fault: start.above(1440) };
};

export const seconds: Reader = (text) => {
  const value = decimalOf(text);
  return value >= 0 && value <= 60 ? { value: Math.round(value * 1000) } : { fault: start.number(0, 60) };
};

export const everyRounds: Reader = (text, names) => {
  const read = whole(1, 100)(text, names);
  return 'fault' in read ? read : { value: { everyRounds: read.value } };
};

export const options: Reader = (text) => {
  const all = linesOf(text);
  const isRight = all.length >= 2 && all.length <= 16 && new Set(all).size === all.length;
  return isRight ? { value: all } : { fault: start.twoOptions };
};

/** `NAME: number`, one a line. */
export const weights: Reader = (text, names) => {
  const entries = linesOf(text).map((line): [string, number] => {
    const at = line.lastIndexOf(':');
    return [line.slice(0, at).trim(), decimalOf(line.slice(at + 1).trim() || '0')];
  });
  if (!entries.every(([name, weight]) => name !== '' && weight > 0)) return { fault: start.weights };
  return (
    faultOfNames(
      entries.map(([name]) => name),
      names,
    ) ?? { value: Object.fromEntries(entries) }
  );
};

/** `NAME, NAME`, one side a line. */
export const sides: Reader = (text, names) => {
  const all = linesOf(text).map((line) =>
    line
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );
  if (all.length < 2 || all.some((side) => side.length === 0)) return { fault: start.sides };
  const given = all.flat();
  const twice = given.find((name, index) => given.indexOf(name) !== index);
  if (twice !== undefined) return { fault: start.twoSides(twice) };
  return faultOfNames(given, names) ?? { value: all };
};

function faultOfNames(given: readonly string[], names: readonly string[]): { fault: string } | undefined {
  const unknown = names.length === 0 ? undefined : given.find((name) => !names.includes(name));
  return unknown === undefined ? undefined : { fault: start.unknownName(unknown) };
}

/** `NAME (weight): what is asked`, one a line. */
export const rubric: Reader = (text) => {
  const criteria = linesOf(text).map((line) => NAMED_LINE.exec(line));
  const value = criteria.map((match) => ({
    name: match?.[1] ?? '',
    description: match?.[3] ?? '',
    ...(match?.[2] === undefined ? {} : { weight: Number(match[2]) }),
  }));
  const isRight = value.every(({ description, weight = 1 }) => description !== '' && weight > 0);
  const isOnce = new Set(value.map(({ name }) => name)).size === value.length;
  return isRight && isOnce && value.length <= 16 ? { value } : { fault: start.rubric };
};

export const scale: Reader = (text) => {
  const [low = 0, high = 0] = [...text.matchAll(/-?\d+(?:\.\d+)?/g)].map(Number);
  return low < high ? { value: [low, high] } : { fault: start.scale };
};

export const condition: Reader = (text) => {
  try {
    const value: unknown = JSON.parse(text);
    const fault = faultOfCondition(value);
    return fault === undefined ? { value } : { fault };
  } catch {
    return { fault: start.condition };
  }
};

export const collections: Reader = (text) => {
  const names = text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const isRight =
    names.length <= 8 &&
    new Set(names).size === names.length &&
    names.every((name) => /^[a-z0-9][a-z0-9_-]{0,62}$/.test(name));
  return isRight ? { value: names.map((collection) => ({ collection })) } : { fault: start.collections };
};
