import { useEffect, useRef, useState } from 'preact/hooks';
import type { TurnFigures } from './figures.ts';

type Measure = typeof import('../../conversation/policies/similarity.ts');

/**
 * How much each reply is like the latest ones before it, as the platform itself measures it, 0 to 1. It is computed
 * as turns come, by what is loaded only here.
 */
export function useSimilarities(turns: readonly TurnFigures[]): readonly number[] {
  const [measure, setMeasure] = useState<Measure | undefined>(undefined);
  const known = useRef<{ values: number[]; prints: Map<string, Uint32Array[]> }>({
    values: [],
    prints: new Map(),
  });
  useEffect(() => {
    import('../../conversation/policies/similarity.ts').then(setMeasure, () => {});
  }, []);
  if (!measure) return [];
  const { values, prints } = known.current;
  for (const { agent, content } of turns.slice(values.length)) {
    const print = measure.fingerprint(content);
    const others = [...prints.values()].flat();
    values.push(Math.max(0, ...others.map((other) => measure.jaccard(print, other))));
    const own = [...(prints.get(agent) ?? []), print];
    prints.set(agent, own.slice(-measure.REMEMBERED_REPLIES));
  }
  return values;
}
