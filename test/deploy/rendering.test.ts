import { globSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CHART, helm, type Manifest, manifestsOf, NAMESPACE, template, theOne } from './helm.ts';
import { faultsOf } from './models.ts';
import { podsOf, variablesOf, workloadOf } from './pods.ts';

const VALUES = globSync(new URL('values/*.yaml', import.meta.url).pathname).sort();
/** What stands in for secrets that no file may have. */
const HUSH = /hush/;
/** Objects that the values name, and somebody else makes. */
const FROM_ELSEWHERE = new Set(['redis-address', 'vendors', 'who-may-come-in', 'key-of-prometheus', 'company-ca']);

/** A rendering as it is kept: keys that are made anew each time are left out, and so are whole dashboards. */
function kept(rendered: string): string {
  return rendered
    .replaceAll(/aic_[\w-]{43}/g, 'aic_KEY')
    .replaceAll(/\\"sha256\\":\\"[0-9a-f]{64}\\"/g, '\\"sha256\\":\\"DIGEST\\"')
    .replaceAll(/(\.json:) \|\n(?: {4}.*\n|\n)+/g, '$1 (as in grafana/dashboards)\n');
}

function labelled(manifest: Manifest | undefined, labels: Record<string, string>): boolean {
  const own = manifest?.metadata.labels ?? {};
  return Object.entries(labels).every(([name, value]) => own[name] === value);
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
    for (const manifest of manifests) {
      const { kind, metadata } = manifest;
      expect({ kind, name: metadata.name, faults: await faultsOf(manifest) }).toEqual({
        kind,
        name: metadata.name,
        faults: [],
      });
      expect(metadata.name).toMatch(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/);
      for (const value of Object.values(metadata.labels ?? {})) {
        expect(value).toMatch(/^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/);
      }
    }
    const names = manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it('runs nothing as root, with no rights, on a file system that it cannot write', async () => {
    const { manifests } = await rendering;
    for (const pod of podsOf(manifests)) {
      expect(pod.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(pod).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false });
      for (const { securityContext, resources, image } of pod.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(resources.requests).toMatchObject({ cpu: expect.anything(), memory: expect.anything() });
        expect(resources.limits).toMatchObject({ memory: expect.anything() });
        expect(image).toMatch(/(@sha256:[0-9a-f]{64}|:\d+\.\d+\.\d+)$/);
      }
    }
    expect(manifests.filter(({ kind }) => /Role/.test(kind))).toEqual([]);
  });

  it('has a pod that lacks nothing: secrets, volumes, mounts', async () => {
    const { manifests } = await rendering;
    const pod = workloadOf(manifests).spec.template.spec;
    const [server] = pod.containers;
    const made = (kind: string): Map<string, Manifest> =>
      new Map(manifests.filter((each) => each.kind === kind).map((each) => [each.metadata.name, each]));
    const secrets = made('Secret');
    const keysOf = (secret: string): string[] =>
      Object.keys((secrets.get(secret)?.['stringData'] ?? {}) as object);
    const isThere = (secret: string, key?: string): boolean =>
      FROM_ELSEWHERE.has(secret) || (key === undefined ? secrets.has(secret) : keysOf(secret).includes(key));
    for (const { name, valueFrom } of server.env ?? []) {
      const from = valueFrom?.secretKeyRef;
      if (from) expect({ name, isThere: isThere(from.name, from.key) }).toEqual({ name, isThere: true });
    }
    for (const { configMapRef, secretRef } of server.envFrom ?? []) {
      if (configMapRef) expect([...made('ConfigMap').keys()]).toContain(configMapRef.name);
      if (secretRef) expect(isThere(secretRef.name)).toBe(true);
    }
    const files: string[] = [];
    const mountOf = (volume: string): string =>
      server.volumeMounts?.find(({ name }) => name === volume)?.mountPath ?? 'nowhere';
    for (const { name: volume, secret, projected } of pod.volumes ?? []) {
      for (const source of [...(secret ? [{ ...secret, name: secret.secretName }] : []), ...(projected?.sources ?? []).map((each) => each.secret)]) {
        const items = source.items ?? keysOf(source.name).map((key) => ({ key, path: key }));
        for (const { key, path: file } of items) {
          expect({ secret: source.name, key, isThere: isThere(source.name, key) }).toEqual({ secret: source.name, key, isThere: true });
          files.push(`${mountOf(volume)}/${file}`);
        }
      }
    }
    for (const [variable, { value }] of variablesOf(server)) {
      if (variable.endsWith('_FILE')) expect(files).toContain(value);
    }
    const claims = workloadOf(manifests).spec.volumeClaimTemplates?.map(({ metadata }) => metadata.name) ?? [];
    const volumes = [...(pod.volumes ?? []).map((volume) => volume.name), ...claims];
    expect((server.volumeMounts ?? []).map((mount) => mount.name).sort()).toEqual(volumes.sort());
    expect(mountOf('data')).toBe(variablesOf(server).get('DATA_DIR')?.value);
    const accounts = [...made('ServiceAccount').keys()];
    if (accounts.length > 0) expect(accounts).toEqual([pod.serviceAccountName]);
  });

  it('shows its secrets in Secrets alone', async () => {
    const { manifests } = await rendering;
    for (const manifest of manifests) {
      if (manifest.kind === 'Secret') continue;
      expect(JSON.stringify(manifest)).not.toMatch(HUSH);
      expect(JSON.stringify(manifest)).not.toMatch(/aic_[\w-]{43}/);
    }
  });

  it('leaves time to leave: behind the sleep the 5 s that the server takes, and what is left for a proxy', async () => {
    const { manifests } = await rendering;
    const workload = workloadOf(manifests);
    const { containers, terminationGracePeriodSeconds } = workload.spec.template.spec;
    const sleep = containers[0].lifecycle?.preStop?.sleep.seconds ?? 0;
    expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(sleep + 10);
    // With others, nobody is to send to it any more when the signal comes; alone there are no others.
    if (workload.kind === 'Deployment') expect(sleep).toBeGreaterThanOrEqual(5);
    else expect(sleep).toBe(0);
  });

  it('asks /livez for restarts, and /readyz for requests', async () => {
    const { manifests } = await rendering;
    const [server] = workloadOf(manifests).spec.template.spec.containers;
    expect(server.ports).toEqual([{ name: 'http', containerPort: 8080, protocol: 'TCP' }]);
    expect(variablesOf(server).get('PORT')?.value).toBe('8080');
    expect(server.startupProbe?.httpGet).toEqual({ path: '/livez', port: 'http' });
    expect(server.livenessProbe?.httpGet).toEqual({ path: '/livez', port: 'http' });
    expect(server.readinessProbe?.httpGet).toEqual({ path: '/readyz', port: 'http' });
  });

  it('selects its own pods with all that selects', async () => {
    const { manifests } = await rendering;
    const workload = workloadOf(manifests);
    const own = workload.spec.template.metadata.labels;
    const pod = { metadata: { labels: own } } as unknown as Manifest;
    const service = theOne<{ spec: { selector: Record<string, string> } }>(manifests, 'Service');
    for (const [selecting, labels] of [
      ['workload', workload.spec.selector.matchLabels],
      ['Service', service.spec.selector],
      ...manifests.flatMap(({ kind, spec }) => {
        const { selector, podSelector } = (spec ?? {}) as Record<string, { matchLabels?: Record<string, string> }>;
        if (!['PodDisruptionBudget', 'NetworkPolicy', 'PeerAuthentication'].includes(kind)) return [];
        return [[kind, (selector ?? podSelector)?.matchLabels ?? {}] as const];
      }),
    ] as const) {
      expect(Object.keys(labels)).toEqual(['app.kubernetes.io/name', 'app.kubernetes.io/instance']);
      expect({ selecting, isSelected: labelled(pod, labels) }).toEqual({ selecting, isSelected: true });
    }
    // The pod of a test isn't one of the server's.
    for (const other of manifests.filter(({ kind }) => kind === 'Pod')) {
      expect(labelled(other, service.spec.selector)).toBe(false);
    }
    for (const monitor of manifests.filter(({ kind }) => kind === 'ServiceMonitor')) {
      const { selector } = monitor['spec'] as { selector: { matchLabels: Record<string, string> } };
      expect(labelled(service, selector.matchLabels)).toBe(true);
    }
  });

  it('8.1: knows every host by which it is called', async () => {
    const { manifests } = await rendering;
    const [server] = workloadOf(manifests).spec.template.spec.containers;
    const allowed = variablesOf(server).get('ALLOWED_HOSTS')?.value?.split(',') ?? [];
    if (allowed.includes('*')) return expect(allowed).toEqual(['*']);
    const service = theOne(manifests, 'Service').metadata.name;
    const called = manifests.flatMap(({ kind, spec }) => {
      const { rules = [], hostnames = [] } = (spec ?? {}) as { rules?: { host?: string }[]; hostnames?: string[] };
      if (kind === 'HTTPRoute') return hostnames;
      return kind === 'Ingress' ? rules.map(({ host }) => host ?? '') : [];
    });
    expect(allowed).toEqual(
      expect.arrayContaining(['$(POD_IP)', service, `${service}.${NAMESPACE}.svc.cluster.local`, ...called]),
    );
    // Only what stands before it in the list is put in.
    const names = [...variablesOf(server).keys()];
    expect(names.indexOf('POD_IP')).toBeLessThan(names.indexOf('ALLOWED_HOSTS'));
  });

  it('8.1: lets in who has a key, or everybody, and says which', async () => {
    const { manifests } = await rendering;
    const variables = variablesOf(workloadOf(manifests).spec.template.spec.containers[0]);
    expect(variables.has('API_KEYS_FILE')).not.toBe(variables.has('ALLOW_ANONYMOUS'));
  });

  it('has more pods than one, or scales, only where they share a Redis', async () => {
    const { manifests } = await rendering;
    const { kind, metadata, spec } = workloadOf(manifests);
    const variables = variablesOf(spec.template.spec.containers[0]);
    const usesRedis = variables.has('REDIS_URL') || variables.has('REDIS_URL_FILE');
    expect(kind).toBe(usesRedis ? 'Deployment' : 'StatefulSet');
    if (!usesRedis) expect(spec.replicas).toBe(1);
    const scalers = manifests.filter((each) => ['ScaledObject', 'HorizontalPodAutoscaler'].includes(each.kind));
    for (const scaler of scalers) {
      const { scaleTargetRef } = scaler['spec'] as { scaleTargetRef: object };
      expect(scaleTargetRef).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment', name: metadata.name });
    }
    // Two that set the number of pods would undo each other's with each upgrade.
    expect(spec.replicas === undefined).toBe(scalers.length === 1);
    const budgets = manifests.filter((each) => each.kind === 'PodDisruptionBudget');
    for (const budget of budgets) expect(budget['spec']).toMatchObject({ maxUnavailable: 1 });
    if (!usesRedis) expect(budgets).toEqual([]);
  });
});
