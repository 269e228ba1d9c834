import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { blocksOf, ROOT } from '../fixtures/documents.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { helm, manifestsOf, render, theOne } from './helm.ts';
import { faultsOf } from './models.ts';

const TEXT = readFileSync(`${ROOT}docs/kubernetes.md`, 'utf8');
const BLOCKS = [...TEXT.matchAll(/^```(\S*) ?(.*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', kind = '', text = '']) => ({
    language,
    kind,
    text,
  }),
);
const blocks = (language: string, kind: string): string[] =>
  BLOCKS.filter((block) => block.language === language && block.kind === kind).map(({ text }) => text.trim());

/** A query with the matchers of each selector in one order. */
const sorted = (query: string): string =>
  query.trim().replaceAll(/\{(.*?)\}/g, (_, matchers: string) => `{${matchers.split(',').sort().join(',')}}`);

const JOB = 'talks.aic-ai-conversation-platform';

interface ScaledObject {
  spec: { triggers: { metadata: { query: string } }[] };
}

interface Autoscaler {
  spec: { metrics: { external: { metric: { name: string; selector: object } } }[] };
}

interface Rule {
  name: { as: string };
  metricsQuery: string;
}

it('docs/kubernetes.md has no block of which nobody knows whether it was tried', () => {
  const kinds = BLOCKS.map(({ language, kind }) => `${language} ${kind}`.trim());
  expect(new Set(kinds)).toEqual(
    new Set(['sh', 'sh not run here', 'yaml', 'yaml values', 'yaml adapter', 'promql']),
  );
});

describe('docs/kubernetes.md, step by step', () => {
  it.each([...blocks('sh', ''), ...blocksOf('deploy/helm/README.md', 'sh')])('%s', async (block) => {
    const line = block.trim();
    expect(line).toMatch(/^helm install [^\n]*$/);
    const [, , ...given] = line.split(' ');
    const paths = given.map((each) => (each === 'deploy/helm' ? join(ROOT, each) : each));
    const { code, output, errors } = await helm('template', ...paths);
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    for (const manifest of manifestsOf(output)) expect(await faultsOf(manifest)).toEqual([]);
  });

  it.each(blocks('yaml', 'values'))('its values render: block %#', async (text) => {
    const file = join(temporaryFolder(), 'values.yaml');
    writeFileSync(file, text);
    for (const manifest of await render('--values', file)) expect(await faultsOf(manifest)).toEqual([]);
  });

  it.each(blocks('yaml', '').flatMap((text) => text.split('---\n')))(
    'its objects are what a cluster takes: %#',
    async (text) => {
      const [manifest] = manifestsOf(text);
      expect(manifest && (await faultsOf(manifest))).toEqual([]);
    },
  );
});

it('docs/kubernetes.md and the adapter ask what KEDA asks', async () => {
  const url = 'redis.url=redis://redis-master:6379';
  const keda = `${url},autoscaling.keda.enabled=true,autoscaling.keda.serverAddress=http://p:9090`;
  const { spec: scaled } = theOne(await render('--set', keda), 'ScaledObject') as unknown as ScaledObject;
  const asked = scaled.triggers.map(({ metadata }) => sorted(metadata.query));
  expect(blocks('promql', '').map(sorted)).toEqual(asked.slice(0, 1));

  const [adapter = ''] = blocks('yaml', 'adapter');
  const { rules } = parse(adapter) as { rules: { external: Rule[] } };
  const matcher = `job="${JOB}"`;
  expect(
    rules.external.map(({ metricsQuery }) => sorted(metricsQuery.replace('<<.LabelMatchers>>', matcher))),
  ).toEqual(asked);
  const hpa = theOne(await render('--set', `${url},autoscaling.hpa.enabled=true`), 'HorizontalPodAutoscaler');
  const { metrics } = (hpa as unknown as Autoscaler).spec;
  expect(metrics.map(({ external }) => external.metric)).toEqual(
    rules.external.map(({ name }) => ({ name: name.as, selector: { matchLabels: { job: JOB } } })),
  );
});

it('docs/kubernetes.md names the seconds and the numbers that the chart has', async () => {
  const defaults = parse(readFileSync(`${ROOT}deploy/helm/values.yaml`, 'utf8')) as {
    maxActiveConversations: number;
    preStopSeconds: number;
    autoscaling: { conversationsPerReplica: number; streamsPerReplica: number };
  };
  const { maxActiveConversations, preStopSeconds, autoscaling } = defaults;
  const number = (value: number): string => value.toLocaleString('en-US');
  expect(TEXT).toContain(
    `\`conversationsPerReplica\` ${number(autoscaling.conversationsPerReplica)}, \`maxActiveConversations\` ` +
      `${number(maxActiveConversations)}, \`streamsPerReplica\` ${number(autoscaling.streamsPerReplica)}`,
  );
  expect(TEXT).toContain(`| ${preStopSeconds} (\`preStopSeconds\`) | SIGTERM.`);
  expect(TEXT).toContain(`| ${preStopSeconds + 10} | SIGKILL`);
});
