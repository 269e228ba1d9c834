import { start } from '../text/start-texts.ts';

const MOST_DEEP = 8;
const MOST = 64;

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 1;
const isText = (value: unknown): boolean => typeof value === 'string' && value.trim() !== '';
const isSum = (value: unknown): boolean => typeof value === 'number' && value > 0;

/** What each condition takes; docs/protocol.md, section 9.3. */
const TAKES: Record<string, (value: unknown) => boolean> = {
  turns: isCount,
  rounds: isCount,
  seconds: isCount,
  totalTokens: isCount,
  costUsd: isSum,
  said: isText,
  spoke: isText,
  everybodySaid: isText,
  repetition: (value) => value === true,
};
const BESIDE: Record<string, [string, (value: unknown) => boolean]> = {
  said: ['by', isText],
  spoke: ['times', isCount],
};

/** What is wrong with a condition for a talk's end; undefined where nothing is. */
export function faultOfCondition(given: unknown): string | undefined {
  let left = MOST;
  const look = (value: unknown, depth: number): string | undefined => {
    left -= 1;
    const fault = start.conditionIn(JSON.stringify(value).slice(0, 80));
    if (typeof value !== 'object' || value === null || depth > MOST_DEEP || left < 0) return fault;
    const [[name, inner] = ['', undefined], ...others] = Object.entries(value);
    if (name === 'not') return others.length > 0 ? fault : look(inner, depth + 1);
    if (name === 'any' || name === 'all') {
      if (others.length > 0 || !Array.isArray(inner) || inner.length === 0) return fault;
      return inner.map((each: unknown) => look(each, depth + 1)).find((each) => each !== undefined);
    }
    const [beside, takes] = BESIDE[name] ?? [];
    const isRight =
      TAKES[name]?.(inner) === true &&
      others.every(([other, second]) => other === beside && takes?.(second) === true);
    return isRight ? undefined : fault;
  };
  return look(given, 1);
}
