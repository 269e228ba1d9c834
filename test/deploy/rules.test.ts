import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { findProgram } from '../fixtures/programs.ts';
import { ALERTS, RECORDED } from '../fixtures/rules.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { type Manifest, render, theOne } from './helm.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const JOB = 'talks.aic-ai-conversation-platform';
const REDIS = 'redis.url=redis://redis-master:6379';

interface PrometheusRule {
  spec: {
    groups: {
      rules: { record?: string; alert?: string; expr: string; annotations?: { runbook_url: string } }[];
    }[];
  };
}

async function promtool(...given: string[]): Promise<void> {
  await promisify(execFile)(findProgram('promtool') ?? 'promtool', given);
}

it("the chart's rules are the project's, alert for alert, and pass the project's own cases", async () => {
  const given = `${REDIS},metrics.prometheusRule.enabled=true,metrics.job=${JOB}`;
  const { spec } = theOne(await render('--set', given), 'PrometheusRule') as Manifest & PrometheusRule;
  const rules = spec.groups.flatMap((group) => group.rules);
  expect(rules.flatMap(({ record }) => record ?? [])).toEqual(RECORDED.map(({ record }) => record));
  expect(rules.flatMap(({ alert }) => alert ?? [])).toEqual(ALERTS.map(({ alert }) => alert));
  // Each selector is narrowed, so that another release's series make no difference.
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'rules.yml'), stringify(spec));
  await promtool('check', 'rules', join(folder, 'rules.yml'));
  const cases = parse(readFileSync(`${ROOT}grafana/rules/tests/alerts.yml`, 'utf8')) as {
    rule_files: string[];
    tests: { name: string }[];
  };
  const run = async (job: string, tests = cases.tests): Promise<void> => {
    const text = stringify({ ...cases, tests, rule_files: [join(folder, 'rules.yml')] });
    const file = join(folder, `cases-${job}.yml`);
    writeFileSync(file, text.replaceAll('job="conversations"', `job="${job}"`));
    await promtool('test', 'rules', file);
  };
  // The same series of another job make no alert fire, so that every case in which one should fails.
  const firing = cases.tests.filter(({ name }) => name.endsWith(' fires'));
  expect(firing).toHaveLength(ALERTS.length);
  const [own, another] = await Promise.allSettled([run(JOB), run('talks.another', firing)]);
  expect(own).toMatchObject({ status: 'fulfilled' });
  const { stderr } = (another as PromiseRejectedResult).reason as { stderr: string };
  const missed = [...stderr.matchAll(/exp: \{alertname="(\w+)"\} 1E\+00\n\s+got: nil/g)].map(
    ([, name]) => name,
  );
  expect(missed).toEqual(firing.map(({ name }) => name.replace(/ fires$/, '')));
});

it('a larger limit of memory and a runbook of your own are in the alerts', async () => {
  const given = `${REDIS},metrics.prometheusRule.enabled=true,metrics.prometheusRule.memoryHighBytes=1800000000`;
  const url = 'metrics.prometheusRule.runbookUrl=https://wiki.example.org/runbook';
  const { spec } = theOne(await render('--set', `${given},${url}`), 'PrometheusRule') as Manifest &
    PrometheusRule;
  const alerts = spec.groups.flatMap((group) => group.rules).filter(({ alert }) => alert !== undefined);
  expect(alerts.find(({ alert }) => alert === 'MemoryHigh')?.expr).toMatch(/ > 1800000000$/);
  for (const { alert, annotations } of alerts) {
    expect(annotations?.runbook_url).toBe(`https://wiki.example.org/runbook#${alert?.toLowerCase()}`);
  }
});

it("the dashboards are the project's, and ask for the instances of this release", async () => {
  const maps = (await render('--set', `${REDIS},metrics.dashboards.enabled=true`)).filter(
    ({ metadata }) => metadata.labels?.['grafana_dashboard'] === '1',
  );
  expect(maps).toHaveLength(6);
  for (const map of maps) {
    const [[file, text]] = Object.entries(map['data'] as Record<string, string>) as [[string, string]];
    const own = readFileSync(`${ROOT}grafana/dashboards/${file}`, 'utf8');
    expect(text).toBe(own.replaceAll('job=\\"conversations\\"', `job=\\"${JOB}\\"`));
    expect(JSON.parse(text)).toMatchObject({ uid: file.replace('.json', '') });
    // A ConfigMap may have 1 MiB.
    expect(text.length).toBeLessThan(1_000_000);
  }
});
