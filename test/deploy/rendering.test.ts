import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHART, helm, manifestsOf, template } from './helm.ts';
import { faultsOf } from './models.ts';
import { POLICIES } from './policies.ts';

const VALUES = globSync(new URL('values/*.yaml', import.meta.url).pathname).sort();

/** A rendering as it is kept: keys that are made anew each time are left out, and so are whole dashboards. */
function kept(rendered: string): string {
  return rendered
    .replaceAll(/aic_[\w-]{43}/g, 'aic_KEY')
    .replaceAll(/\\"sha256\\":\\"[0-9a-f]{64}\\"/g, '\\"sha256\\":\\"DIGEST\\"')
    .replaceAll(/(\.json:) \|\n(?: {4}.*\n|\n)+/g, '$1 (as in grafana/dashboards)\n');
}

it('the chart has values files for at least 20 uses', () => {
  expect(VALUES.length).toBeGreaterThanOrEqual(20);
});

describe.each(VALUES.map((path) => ({ path, name: basename(path, '.yaml') })))('$name', ({ path, name }) => {
  const rendering = template('--values', path).then(({ code, output, errors }) => {
    if (code !== 0) throw new Error(errors);
    return { output, manifests: manifestsOf(output) };
  });

  it('is linted without a word', async () => {
    const { code, output, errors } = await helm('lint', '--strict', CHART, '--values', path);
    expect(errors).toBe('');
    expect(output).toContain('1 chart(s) linted, 0 chart(s) failed');
    expect(output.match(/^\[(?!INFO\] Chart.yaml: icon).*$/gm)).toBeNull();
    expect(code).toBe(0);
  });

  it('is what was reviewed', async () => {
    const { output } = await rendering;
    await expect(kept(output)).toMatchFileSnapshot(`golden/${name}.yaml`);
  });

  it('is what a cluster takes, with no field that it would drop', async () => {
    const { manifests } = await rendering;
    const faults = await Promise.all(
      manifests.map(async (each) => [each.kind, await faultsOf(each)] as const),
    );
    expect(faults).toEqual(manifests.map(({ kind }) => [kind, []]));
  });

  it.each(Object.entries(POLICIES))('%s', async (_, policy) => {
    expect(policy((await rendering).manifests)).toEqual([]);
  });
});

describe('a rendering that is spoilt', () => {
  const golden = (name: string): string =>
    readFileSync(new URL(`golden/${name}.yaml`, import.meta.url), 'utf8');

  it.each([
    ['readinessProbe:', 'readynessProbe:', '/spec/template/spec/containers/0/readynessProbe'],
    ['maxUnavailable: 1', 'maxUnavailble: 1', '/spec/maxUnavailble'],
    ['behavior: currentReplicasIfHigher', 'behavior: whatever', 'behavior must be equal to one of'],
    ['ignoreNullValues: "false"', 'ignoreNullValues: [false]', 'must be string'],
    ['pathType: Prefix', 'pathTyp: Prefix', 'must have required property pathType'],
    ['sourceLabels: [', 'sourceLabel: [', '/sourceLabel'],
  ])('is no longer what a cluster takes: %s as %s', async (right, wrong, fault) => {
    const manifests = manifestsOf(golden('production').replace(right, wrong));
    const faults = (await Promise.all(manifests.map(faultsOf))).flat();
    expect(faults.join('\n')).toContain(fault);
  });

  it.each([
    ['has names', 'sqlite', '  name: aic-ai-conversation-platform\n', '  name: aic_platform\n'],
    ['runs nothing as root', 'redis-url', 'runAsNonRoot: true', 'runAsNonRoot: false'],
    ['runs nothing as root', 'redis-url', 'drop: [ALL]', 'drop: [NET_RAW]'],
    ['runs nothing as root', 'redis-url', 'memory: 1Gi', 'cpu: 1'],
    [
      'has a pod that lacks nothing',
      'vendors-from-files',
      '{ key: OPENAI_API_KEY, path: OPENAI_API_KEY }',
      '{ key: OPENAI_API_KEY, path: OPENAI }',
    ],
    ['has a pod that lacks nothing', 'redis-url', 'key: REDIS_URL', 'key: REDIS'],
    [
      'has a pod that lacks nothing',
      'sqlite',
      '{ name: data, mountPath: /data }',
      '{ name: data, mountPath: /date }',
    ],
    [
      'shows its secrets',
      'secrets-of-the-chart',
      '{ name: PORT, value: "8080" }',
      '{ name: PORT, value: hush }',
    ],
    ['leaves time', 'redis-url', 'terminationGracePeriodSeconds: 15', 'terminationGracePeriodSeconds: 10'],
    ['leaves time', 'redis-url', 'sleep: { seconds: 5 }', 'sleep: { seconds: 1 }'],
    ['asks /livez', 'redis-url', '/livez', '/readyz'],
    [
      'selects its own',
      'production',
      'podSelector:\n    matchLabels:\n      app.kubernetes.io/name: ai',
      'podSelector:\n    matchLabels:\n      app.kubernetes.io/name: ia',
    ],
    ['8.1', 'ingress-nginx', ',other.example.org"', '"'],
    ['8.1', 'anonymous', 'name: ALLOW_ANONYMOUS', 'name: ALLOW_NOBODY'],
    ['has more pods', 'sqlite', 'replicas: 1', 'replicas: 2'],
    ['has more pods', 'keda', 'revisionHistoryLimit: 3', 'replicas: 3'],
    ['lets nothing out', 'network-policy', '              - 169.254.0.0/16\n', ''],
    ['lets nothing out', 'network-policy-sqlite', 'policyTypes: [Ingress, Egress]', 'policyTypes: [Ingress]'],
    ['tells a mesh', 'redis-url', 'appProtocol: http', 'appProtocol: tcp'],
    ['tells a mesh', 'istio', 'nativeSidecar: "true"', 'nativeSidecar: "false"'],
    ['tells a mesh', 'istio', 'mode: STRICT', 'mode: PERMISSIVE'],
    [
      'tells a mesh',
      'istio',
      '.talks.svc.cluster.local\n  trafficPolicy',
      '.talk.svc.cluster.local\n  trafficPolicy',
    ],
    ['tells a mesh', 'linkerd', 'enable-native-sidecar', 'enable-foreign-sidecar'],
  ])('%s … is seen in %s: %s as %s', (beginning, name, right, wrong) => {
    const text = golden(name);
    expect(text).toContain(right);
    const [policy] = Object.entries(POLICIES).flatMap(([what, each]) =>
      what.startsWith(beginning) ? [each] : [],
    );
    expect(policy?.(manifestsOf(text))).toEqual([]);
    expect(policy?.(manifestsOf(text.replace(right, wrong)))).not.toEqual([]);
  });
});
