import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  Registry,
} from 'prom-client';
import { METRICS, type MetricKey } from './metric-names.ts';

type Keys<Type> = { [Key in MetricKey]: (typeof METRICS)[Key]['type'] extends Type ? Key : never }[MetricKey];
type Labels<Key extends MetricKey> = (typeof METRICS)[Key]['labels'][number];

export const PROMETHEUS_TEXT = Registry.PROMETHEUS_CONTENT_TYPE;
export const OPENMETRICS_TEXT = Registry.OPENMETRICS_CONTENT_TYPE;

/** Gauges named as if they were counters; they are the sums of others that stay. */
const MISNAMED = [
  'nodejs_active_resources_total',
  'nodejs_active_handles_total',
  'nodejs_active_requests_total',
];

/**
 * The metrics of the table, each made when it is asked for, and Node's own.
 *
 * prom-client keeps exemplars only in a registry whose one format is OpenMetrics, and writing that format renames
 * its counters for good. So OpenMetrics is all it writes, and Prometheus' older format is made from its text.
 */
export class MetricRegistry {
  readonly #registry = new Registry<OpenMetricsContentType>();

  constructor() {
    this.#registry.setContentType(OPENMETRICS_TEXT);
    collectDefaultMetrics({ register: this.#registry });
    for (const name of MISNAMED) this.#registry.removeSingleMetric(name);
  }

  /** @param collect sets what it counts at each reading */
  counter<Key extends Keys<'counter'>>(
    key: Key,
    collect?: (counter: Counter<Labels<Key>>) => void,
  ): Counter<Labels<Key>> {
    return new Counter<Labels<Key>>({ ...this.#options<Key>(key), ...collecting(collect) });
  }

  /** @param collect sets what it shows at each reading */
  gauge<Key extends Keys<'gauge'>>(
    key: Key,
    collect?: (gauge: Gauge<Labels<Key>>) => void | Promise<void>,
  ): Gauge<Labels<Key>> {
    return new Gauge<Labels<Key>>({ ...this.#options<Key>(key), ...collecting(collect) });
  }

  /** @param enableExemplars its `observe` then takes one object */
  histogram<Key extends Keys<'histogram'>>(key: Key, enableExemplars = false): Histogram<Labels<Key>> {
    const buckets = [...METRICS[key].buckets];
    return new Histogram<Labels<Key>>({ ...this.#options<Key>(key), buckets, enableExemplars });
  }

  async openMetrics(): Promise<string> {
    return await this.#registry.metrics();
  }

  async prometheus(): Promise<string> {
    return prometheusTextOf(await this.openMetrics());
  }

  #options<Key extends MetricKey>(key: Key) {
    const { name, help, labels } = METRICS[key];
    return { name, help, labelNames: labels as readonly Labels<Key>[], registers: [this.#registry] };
  }
}

function collecting<T>(collect: ((metric: T) => void | Promise<void>) | undefined) {
  if (!collect) return {};
  return {
    collect(this: T) {
      return collect(this);
    },
  };
}

/** https://prometheus.io/docs/instrumenting/exposition_formats: counters by their whole name, and no exemplars. */
function prometheusTextOf(openMetrics: string): string {
  return openMetrics
    .replace(/^# HELP (\S+) (.*)\n# TYPE \1 counter$/gm, '# HELP $1_total $2\n# TYPE $1_total counter')
    .replace(/ # \{trace_id="[0-9a-f]+"\} \S+ \S+$/gm, '')
    .replace(/^# EOF\n/m, '');
}
