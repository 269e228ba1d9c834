import type { METRICS } from '../src/observability/metric-names.ts';

type Metric = (typeof METRICS)[keyof typeof METRICS];
type Named<Type> = Extract<Metric, { type: Type }>['name'];
type Counted =
  | Named<'counter'>
  | 'process_cpu_seconds_total'
  | `nodejs_gc_duration_seconds_${'sum' | 'count'}`;

/** Label matchers beside that of the instance, such as `state="running"`. */
type Matchers = string;

/** The samples of a metric from the instances that are chosen at the top of the dashboard. */
export function of(metric: string, matchers: Matchers = ''): string {
  return `${metric}{instance=~"$instance"${matchers === '' ? '' : `, ${matchers}`}}`;
}

/** Sums over the instances; `by` are the labels that stay. */
export function sum(samples: string, by = ''): string {
  return by === '' ? `sum(${samples})` : `sum by (${by}) (${samples})`;
}

/** A counter's growth in a second, over all instances. */
export function perSecond(
  counter: Counted | `${Named<'histogram'>}_${'count' | 'sum'}`,
  by = '',
  matchers: Matchers = '',
): string {
  return sum(`rate(${of(counter, matchers)}[$__rate_interval])`, by);
}

/** A counter's growth within the time that the dashboard shows. */
export function inRange(counter: Named<'counter'>, by = '', matchers: Matchers = ''): string {
  return sum(`increase(${of(counter, matchers)}[$__range])`, by);
}

/** What a share of the observations, such as 0.95, stays below; over all instances. */
export function quantile(
  share: number,
  histogram: Named<'histogram'>,
  by = '',
  matchers: Matchers = '',
): string {
  const labels = by === '' ? 'le' : `le, ${by}`;
  return `histogram_quantile(${share}, ${perSecond(`${histogram}_bucket` as `${Named<'histogram'>}_count`, labels, matchers)})`;
}

/** Of 0 to 1; without a value where there is nothing to divide by. */
export function share(part: string, whole: string): string {
  return `${part} / (${whole} > 0)`;
}

/** A counter that has no series before its first event counts as 0 wherever `like` has a value. */
export function orZero(counted: string, like: string): string {
  return `(${counted} or 0 * ${like})`;
}
