import type { Happening } from '../conversation/happenings.ts';
import type { MetricRegistry } from './metrics-registry.ts';

/** Counts what is looked up for turns. */
export function lookUpMeters(
  registry: MetricRegistry,
): (lookedUp: Extract<Happening, { type: 'knowledge.looked_up' }>) => void {
  const retrievals = registry.counter('retrievals');
  for (const outcome of ['found', 'empty', 'failed']) retrievals.inc({ outcome }, 0);
  const degradedOnes = registry.counter('retrievalsDegraded');
  const shown = registry.counter('retrievedPassages');
  const seconds = registry.histogram('retrievalSeconds');
  return ({ passages, degraded, failed, milliseconds }) => {
    retrievals.inc({ outcome: failed ? 'failed' : passages > 0 ? 'found' : 'empty' });
    if (degraded) degradedOnes.inc();
    shown.inc(passages);
    seconds.observe(milliseconds / 1000);
  };
}
