import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { generatedFiles, rowsOf } from '../../deploy/helm/tools/chart.ts';
import { ofJob } from '../../deploy/helm/tools/selectors.ts';
import { values } from '../../deploy/helm/tools/values.ts';
import { PLAIN, SECRET, SET_BY_THE_CHART } from '../../deploy/helm/tools/variables.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { CHART, helm, NAMESPACE, RELEASE, render, template, theOne } from './helm.ts';

const DEFAULTS = readFileSync(`${CHART}/values.yaml`, 'utf8');
const REDIS = ['--set', 'redis.url=redis://redis-master:6379'];

it.each([...generatedFiles()])('%s is as `npm run chart` writes it', (path, text) => {
  expect(readFileSync(`${CHART}/${path}`, 'utf8')).toBe(text);
});

it('every value has a default, which its schema takes, and a sentence', () => {
  expect(values.safeParse(parse(DEFAULTS)).error?.issues ?? []).toEqual([]);
  for (const { path, what } of rowsOf(DEFAULTS))
    expect({ path, what }).toEqual({ path, what: expect.stringMatching(/^.{3,}[.…]$/s) });
});

it('6: no variable is two of secret, plain and set by the chart', () => {
  const all = [...PLAIN, ...SECRET, ...SET_BY_THE_CHART];
  expect(new Set(all).size).toBe(all.length);
});

it('6: numbers and truths of the configuration come to the server as they are written', async () => {
  const given = {
    MAX_MESSAGE_LENGTH: 1_000_000,
    TEMPERATURE: 0.25,
    DAILY_COST_LIMIT_USD: 1e9,
    WEBHOOKS_ALLOW_PRIVATE: true,
  };
  const manifests = await render(...REDIS, '--set-json', `config=${JSON.stringify(given)}`);
  expect(theOne(manifests, 'ConfigMap')['data']).toEqual({
    MAX_MESSAGE_LENGTH: '1000000',
    TEMPERATURE: '0.25',
    DAILY_COST_LIMIT_USD: '1000000000',
    WEBHOOKS_ALLOW_PRIVATE: 'true',
  });
});

it('8.3: the keys that the chart makes are keys, and their entries are those of the protocol', async () => {
  const secretOf = async (): Promise<Record<string, string>> => {
    const secrets = (await render(...REDIS)).filter(({ kind }) => kind === 'Secret');
    return secrets.find(({ metadata }) => metadata.name.endsWith('-api-keys'))?.['stringData'] as Record<
      string,
      string
    >;
  };
  const secret = await secretOf();
  const entries = JSON.parse(secret['api-keys.json'] ?? '') as { name: string; sha256: string }[];
  expect(entries).toEqual([
    { name: 'admin', tenant: 'default', scopes: ['admin'], sha256: expect.any(String) },
    { name: 'metrics', tenant: 'default', scopes: ['metrics:read'], sha256: expect.any(String) },
  ]);
  for (const { name, sha256 } of entries) {
    const key = secret[`${name}-key`] ?? '';
    expect(key).toMatch(/^aic_[A-Za-z0-9_-]{43}$/);
    expect(Buffer.from(key.slice(4), 'base64url')).toHaveLength(32);
    expect(sha256).toBe(createHash('sha256').update(key).digest('hex'));
  }
  expect((await secretOf())['admin-key']).not.toBe(secret['admin-key']);
});

it('an upgrade restarts the pods when a variable changes, and not when a key is added', async () => {
  const checksum = async (...given: string[]): Promise<unknown> => {
    const { output } = await template(...given);
    return /checksum\/values: (\w+)/.exec(output)?.[1];
  };
  const before = await checksum(...REDIS);
  expect(await checksum(...REDIS)).toBe(before);
  expect(await checksum(...REDIS, '--set', 'config.LOG_LEVEL=debug')).not.toBe(before);
  expect(await checksum('--set', 'redis.url=redis://other:6379')).not.toBe(before);
});

it.each([
  ['up', 'up{job="J"}'],
  ['a:b:c > 0 and up{x="1"}', 'a:b:c{job="J"} > 0 and up{job="J", x="1"}'],
  ['rate(x_total{job="K", a=~"b|c"}[5m])', 'rate(x_total{job="K", a=~"b|c"}[5m])'],
  ['x{a_job="1"} offset 5m', 'x{job="J", a_job="1"} offset 5m'],
  ['sum by (job) (x) or vector(0)', 'sum by (job) (x{job="J"}) or vector(0)'],
  ['x{}', 'x{job="J"}'],
])('the selectors of %s are narrowed to a job', (given, expected) => {
  expect(ofJob(given, 'J')).toBe(expected);
});

it('what is no PromQL is not narrowed, but refused', () => {
  expect(() => ofJob('sum by (', 'J')).toThrow('no PromQL: sum by (');
});

it('what is packed renders as the folder does, and has none of what makes it', async () => {
  const folder = temporaryFolder();
  expect(await helm('package', CHART, '--destination', folder)).toMatchObject({ code: 0, errors: '' });
  const archive = join(folder, 'ai-conversation-platform-0.1.0.tgz');
  const files = execFileSync('tar', ['-tzf', archive], { encoding: 'utf8' });
  expect(files).toContain('/files/rules/alerts.yml');
  expect(files).not.toMatch(/\.ts$/m);
  const given = [
    '--values',
    new URL('values/own-api-keys.yaml', import.meta.url).pathname,
    '--namespace',
    NAMESPACE,
  ];
  const packed = await helm('template', RELEASE, archive, ...given);
  expect(packed).toEqual(await template(...given));
});

it('a cluster that is too old is told so', async () => {
  expect((await template(...REDIS, '--kube-version', '1.30.0')).code).toBe(0);
  const { code, errors } = await template(...REDIS, '--kube-version', '1.29.9');
  expect(code).toBe(1);
  expect(errors).toContain('chart requires kubeVersion: >=1.30.0-0');
});

describe('who installs it is told how to go on', () => {
  const names = [
    'anonymous',
    'gateway',
    'ingress-nginx',
    'ingress-of-many-hosts',
    'keda',
    'production',
    'redis-one-pod',
    'redis-url',
    'sqlite',
  ];
  const told = names.map(async (name) => {
    const values = new URL(`values/${name}.yaml`, import.meta.url).pathname;
    const given = ['--namespace', NAMESPACE, '--dry-run=client', '--values', values];
    const { output } = await helm('install', RELEASE, CHART, ...given);
    return output.slice(output.indexOf('NOTES:'));
  });

  it.each(names)('%s', async (name) => {
    const notes = await told[names.indexOf(name)];
    await expect(notes).toMatchFileSnapshot(`golden/notes/${name}.txt`);
  });

  it('with every sentence that there is', async () => {
    const source = readFileSync(`${CHART}/templates/NOTES.txt`, 'utf8');
    const sentences = source
      .split(/\{\{.*?\}\}|\n/)
      .map((part) => part.trim())
      .filter((part) => part.length > 8);
    const all = (await Promise.all(told)).join('\n');
    expect(sentences.filter((sentence) => !all.includes(sentence))).toEqual([]);
    expect(sentences.length).toBeGreaterThan(15);
  });
});
