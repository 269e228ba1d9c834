import { type Manifest, NAMESPACE } from './helm.ts';
import { meshesKnow, nothingElseGoesOut } from './network.ts';
import { type PodSpec, podsOf, type SecretSource, variablesOf, workloadOf } from './pods.ts';
import { failing, ofKind, type Policy, specOf } from './policy.ts';

/** Objects that the values files name, and somebody else makes. */
const FROM_ELSEWHERE: ReadonlySet<string> = new Set([
  'redis-address',
  'vendors',
  'who-may-come-in',
  'key-of-prometheus',
]);
/** What stands in the values files for secrets, and the form of the keys that the chart makes. */
const SECRET = /hush|aic_[\w-]{43}/;

const named = (manifests: readonly Manifest[], kind: string): Map<string, Manifest> =>
  new Map(manifests.filter((each) => each.kind === kind).map((each) => [each.metadata.name, each]));

const NOTHING: Record<string, string> = {};
const NO_SELECTORS: Record<string, { matchLabels?: Record<string, string> }> = {};

function usesRedis(manifests: readonly Manifest[]): boolean {
  const variables = variablesOf(workloadOf(manifests).spec.template.spec.containers[0]);
  return variables.has('REDIS_URL') || variables.has('REDIS_URL_FILE');
}

const namesAreNames: Policy = (manifests) => [
  ...manifests.flatMap(({ kind, metadata }) => [
    ...(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(metadata.name) ? [] : [`${kind} ${metadata.name}`]),
    ...Object.values(metadata.labels ?? {}).filter(
      (value) => !/^([A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?)?$/.test(value),
    ),
  ]),
  ...failing({
    'two objects have one name':
      new Set(manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).size === manifests.length,
  }),
];

/** https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a little more. */
const podsAreRestricted: Policy = (manifests) => [
  ...ofKind(manifests, 'Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding').map(
    ({ kind }) => `has a ${kind}`,
  ),
  ...podsOf(manifests).flatMap((pod) => [
    ...failing({
      'runs as root': pod.securityContext.runAsNonRoot === true && pod.securityContext.runAsUser === 1000,
      'has no seccomp profile': pod.securityContext.seccompProfile?.type === 'RuntimeDefault',
      'has a token of the cluster': pod.automountServiceAccountToken === false,
      'has variables of Services': pod.enableServiceLinks === false,
    }),
    ...pod.containers.flatMap(({ image, resources, securityContext }) =>
      failing({
        'may have more rights': securityContext?.allowPrivilegeEscalation === false,
        'may write its file system': securityContext?.readOnlyRootFilesystem === true,
        'has capabilities': securityContext?.capabilities?.drop?.includes('ALL') === true,
        'asks for no CPU or memory': 'cpu' in resources.requests && 'memory' in resources.requests,
        'may take all memory': 'memory' in resources.limits,
        'is throttled': !('cpu' in resources.limits),
        [`${image} is not pinned`]: /(@sha256:[0-9a-f]{64}|:\d+\.\d+\.\d+)$/.test(image),
      }),
    ),
  ]),
];

/** Files that come of mounted Secrets, each with whether it will be there. */
function filesOf(
  manifests: readonly Manifest[],
  { containers, volumes = [] }: PodSpec,
): Map<string, boolean> {
  const secrets = named(manifests, 'Secret');
  const keysOf = (secret: string): string[] => Object.keys(secrets.get(secret)?.['stringData'] ?? {});
  const mountOf = (volume: string): string =>
    containers[0].volumeMounts?.find(({ name }) => name === volume)?.mountPath ?? 'nowhere';
  const sources = volumes.flatMap(
    ({ name, secret, projected }): (SecretSource & { volume: string; of: string })[] => [
      ...(secret ? [{ ...secret, volume: name, of: secret.secretName }] : []),
      ...(projected?.sources ?? []).map((each) => ({ ...each.secret, volume: name, of: each.secret.name })),
    ],
  );
  return new Map(
    sources.flatMap(({ volume, of, items = keysOf(of).map((key) => ({ key, path: key })) }) =>
      items.map(({ key, path }): [string, boolean] => [
        `${mountOf(volume)}/${path}`,
        FROM_ELSEWHERE.has(of) || keysOf(of).includes(key),
      ]),
    ),
  );
}

const nothingIsMissing: Policy = (manifests) => {
  const { spec } = workloadOf(manifests);
  const pod = spec.template.spec;
  const [server] = pod.containers;
  const secrets = named(manifests, 'Secret');
  const files = filesOf(manifests, pod);
  const claims = spec.volumeClaimTemplates?.map(({ metadata }) => metadata.name) ?? [];
  const volumes = [...(pod.volumes ?? []).map(({ name }) => name), ...claims].sort();
  const accounts = [...named(manifests, 'ServiceAccount').keys()];
  const data = server.volumeMounts?.find(({ name }) => name === 'data')?.mountPath;
  return [
    ...[...files].flatMap(([file, isThere]) => (isThere ? [] : [`${file} is in no Secret`])),
    ...(server.env ?? []).flatMap(({ name, value = '', valueFrom }) => {
      const { name: secret = '', key = '' } = valueFrom?.secretKeyRef ?? {};
      const isIn =
        FROM_ELSEWHERE.has(secret) || Object.hasOwn(secrets.get(secret)?.['stringData'] ?? {}, key);
      return failing({
        [`${name} is in no Secret`]: secret === '' || isIn,
        [`${name} names no file`]: !name.endsWith('_FILE') || files.has(value),
      });
    }),
    ...(server.envFrom ?? []).flatMap(({ configMapRef, secretRef }) =>
      failing({
        'its ConfigMap is missing': !configMapRef || named(manifests, 'ConfigMap').has(configMapRef.name),
        'its Secret is missing':
          !secretRef || FROM_ELSEWHERE.has(secretRef.name) || secrets.has(secretRef.name),
      }),
    ),
    ...failing({
      'a volume is not mounted, or a mount has no volume':
        JSON.stringify((server.volumeMounts ?? []).map(({ name }) => name).sort()) ===
        JSON.stringify(volumes),
      'DATA_DIR is no volume': variablesOf(server).get('DATA_DIR')?.value === data,
      'its account is missing': accounts.length === 0 || accounts[0] === pod.serviceAccountName,
    }),
  ];
};

const secretsAreInSecrets: Policy = (manifests) =>
  manifests
    .filter(({ kind }) => kind !== 'Secret')
    .flatMap((manifest) =>
      SECRET.test(JSON.stringify(manifest)) ? [`${manifest.kind} shows a secret`] : [],
    );

/** The server takes up to 5 s (main.ts); what is left is for a proxy beside it. */
const leavingHasTime: Policy = (manifests) => {
  const { kind, spec } = workloadOf(manifests);
  const { containers, terminationGracePeriodSeconds = 0 } = spec.template.spec;
  const sleep = containers[0].lifecycle?.preStop?.sleep.seconds ?? 0;
  return failing({
    'the grace is too short': terminationGracePeriodSeconds >= sleep + 10,
    'it leaves while it is sent requests': kind === 'StatefulSet' || sleep >= 5,
    'alone it waits for nothing': kind === 'Deployment' || sleep === 0,
  });
};

const probesAskTheRightThing: Policy = (manifests) => {
  const [{ ports, startupProbe, livenessProbe, readinessProbe, env }] =
    workloadOf(manifests).spec.template.spec.containers;
  const variables = new Map((env ?? []).map(({ name, value }) => [name, value]));
  const port = ports?.find(({ name }) => name === 'http')?.containerPort;
  const probes = [startupProbe, livenessProbe, readinessProbe].map(
    (probe) => `${probe?.httpGet.path}:${probe?.httpGet.port}`,
  );
  return failing({
    'the port is another': String(port) === variables.get('PORT'),
    'a restart mends no storage': probes.join(' ') === '/livez:http /livez:http /readyz:http',
  });
};

const selectorsSelect: Policy = (manifests) => {
  const workload = workloadOf(manifests);
  const labels = workload.spec.template.metadata.labels;
  const service = ofKind(manifests, 'Service')[0];
  const fits = (own: Record<string, string> | undefined, wanted: Record<string, string>): boolean =>
    Object.keys(wanted).length >= 2 && Object.entries(wanted).every(([name, value]) => own?.[name] === value);
  const { selector } = specOf(service, { selector: NOTHING });
  const of = (manifest: Manifest): Record<string, string> => {
    const { selector: one, podSelector: other } = specOf(manifest, NO_SELECTORS);
    return (one ?? other)?.matchLabels ?? {};
  };
  return [
    ...failing({
      'the workload': fits(labels, workload.spec.selector.matchLabels),
      'the Service': fits(labels, selector),
    }),
    ...ofKind(manifests, 'PodDisruptionBudget', 'NetworkPolicy', 'PeerAuthentication').flatMap((each) =>
      fits(labels, of(each)) ? [] : [each.kind],
    ),
    ...ofKind(manifests, 'ServiceMonitor').flatMap((each) =>
      fits(service?.metadata.labels, of(each)) ? [] : [each.kind],
    ),
    // The pod of a test isn't one of the server's.
    ...ofKind(manifests, 'Pod').flatMap(({ metadata }) =>
      fits(metadata.labels, selector) ? [metadata.name] : [],
    ),
  ];
};

/** Protocol, section 8.1. */
const hostsAreKnown: Policy = (manifests) => {
  const variables = variablesOf(workloadOf(manifests).spec.template.spec.containers[0]);
  const allowed = variables.get('ALLOWED_HOSTS')?.value?.split(',') ?? [];
  const service = ofKind(manifests, 'Service')[0]?.metadata.name ?? '';
  const called = [
    '$(POD_IP)',
    service,
    `${service}.${NAMESPACE}.svc.cluster.local`,
    ...ofKind(manifests, 'Ingress').flatMap((each) =>
      specOf(each, { rules: [] as { host?: string }[] }).rules.map(({ host = '' }) => host),
    ),
    ...ofKind(manifests, 'HTTPRoute').flatMap((each) => specOf(each, { hostnames: [''] }).hostnames),
  ];
  const names = [...variables.keys()];
  return [
    ...(allowed[0] === '*' ? [] : called.filter((host) => !allowed.includes(host))),
    ...failing({
      // Kubernetes puts in only what stands before it.
      'POD_IP is not known yet': names.indexOf('POD_IP') < names.indexOf('ALLOWED_HOSTS'),
      'everybody or somebody': variables.has('API_KEYS_FILE') !== variables.has('ALLOW_ANONYMOUS'),
    }),
  ];
};

const podsShareOnlyRedis: Policy = (manifests) => {
  const { kind, metadata, spec } = workloadOf(manifests);
  const shares = usesRedis(manifests);
  const scalers = ofKind(manifests, 'ScaledObject', 'HorizontalPodAutoscaler');
  const budgets = ofKind(manifests, 'PodDisruptionBudget');
  return failing({
    'more than one without Redis': shares
      ? kind === 'Deployment'
      : kind === 'StatefulSet' && spec.replicas === 1,
    // With two that set the number, each upgrade would undo what the other has done.
    'two set the number of pods':
      scalers.length <= 1 && (spec.replicas === undefined) === (scalers.length === 1),
    'it scales something else': scalers.every((each) => {
      const { scaleTargetRef } = specOf(each, { scaleTargetRef: { kind: '', name: '' } });
      return scaleTargetRef.kind === 'Deployment' && scaleTargetRef.name === metadata.name;
    }),
    'more than one leaves at a time': budgets.every(
      (each) => specOf(each, { maxUnavailable: 0 }).maxUnavailable === 1,
    ),
    'a budget keeps the node of one pod alone': shares || budgets.length === 0,
  });
};

/** What holds of every rendering. */
export const POLICIES: Record<string, Policy> = {
  'has names and labels that a cluster takes, each once': namesAreNames,
  'runs nothing as root, with no rights, on a file system that it cannot write': podsAreRestricted,
  'has a pod that lacks nothing: secrets, files, volumes': nothingIsMissing,
  'shows its secrets in Secrets alone': secretsAreInSecrets,
  'leaves time to leave': leavingHasTime,
  'asks /livez for restarts, and /readyz for requests': probesAskTheRightThing,
  'selects its own pods with all that selects': selectorsSelect,
  '8.1: knows every host by which it is called, and who may come in': hostsAreKnown,
  'has more pods than one, or scales, only where they share a Redis': podsShareOnlyRedis,
  'lets nothing out but what is named': nothingElseGoesOut,
  'tells a mesh what its port speaks, and has a proxy that outlasts the server': meshesKnow,
};
