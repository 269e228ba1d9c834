import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { metricsPage } from '../../docs/metrics-page.ts';
import { METRICS } from '../../src/observability/metric-names.ts';

it('docs/metrics.md has the table of metrics; `npm run metrics:doc` writes it', () => {
  expect(readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')).toBe(metricsPage());
});

it.each(Object.values(METRICS))('7: $name has the name and the help that Prometheus asks for', (metric) => {
  const { name, type, help } = metric;
  expect(name.endsWith('_total')).toBe(type === 'counter');
  expect(name).toMatch(/^ai_[a-z_]+$/);
  expect(help).toMatch(/^[A-Z].+\.$/);
});
