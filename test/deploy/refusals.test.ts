import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { CHART, template } from './helm.ts';

const REDIS = { redis: { url: 'redis://redis-master:6379' } };
const SOMEBODY = [{ podSelector: {} }];

/** Values that each are right, and not together, with the sentence that says so. */
const COMBINATIONS: readonly [sentence: string, values: object, ...further: string[]][] = [
  [
    'replicaCount=2 needs Redis, by which pods share conversations: set redis.url or redis.existingSecret, or replicaCount=1 for one pod with a volume.',
    {},
  ],
  [
    'replicaCount=7 needs Redis, by which pods share conversations: set redis.url or redis.existingSecret, or replicaCount=1 for one pod with a volume.',
    { replicaCount: 7 },
  ],
  [
    'redis.url and redis.existingSecret both say where Redis is: leave one of them out.',
    { redis: { url: 'redis://redis:6379', existingSecret: 'redis' } },
  ],
  [
    'autoscaling needs Redis: without it a second pod would have conversations of its own. Set redis.url or redis.existingSecret.',
    { replicaCount: 1, autoscaling: { hpa: { enabled: true } } },
  ],
  [
    'persistence.enabled=false without Redis would lose every conversation with its pod: set redis.url or redis.existingSecret, or leave persistence.enabled true.',
    { replicaCount: 1, persistence: { enabled: false } },
  ],
  [
    'autoscaling.keda.enabled and autoscaling.hpa.enabled would both set the number of pods: enable one of them.',
    {
      ...REDIS,
      autoscaling: { keda: { enabled: true, serverAddress: 'http://p:9090' }, hpa: { enabled: true } },
    },
  ],
  [
    'autoscaling.keda.serverAddress is missing: KEDA asks that Prometheus how many conversations there are.',
    { ...REDIS, autoscaling: { keda: { enabled: true } } },
  ],
  [
    'autoscaling.minReplicas (30) is above autoscaling.maxReplicas (20).',
    { ...REDIS, autoscaling: { minReplicas: 30 } },
  ],
  [
    'autoscaling.conversationsPerReplica (1500) is above maxActiveConversations (1000): conversations would wait while no pod is added.',
    { ...REDIS, maxActiveConversations: 1000, autoscaling: { hpa: { enabled: true } } },
  ],
  [
    "existingSecretKeys names keys of existingSecret, which isn't set.",
    { ...REDIS, existingSecretKeys: ['OPENAI_API_KEY'] },
  ],
  [
    'secretsAs=files mounts the keys that existingSecretKeys names: name those of existingSecret that the server is to read.',
    { ...REDIS, existingSecret: 'vendors', secretsAs: 'files' },
  ],
  [
    'allowAnonymous=true lets everybody in, and apiKeys.existingSecret only some: leave one of them out.',
    { ...REDIS, allowAnonymous: true, apiKeys: { existingSecret: 'keys' } },
  ],
  [
    'ingress.enabled with allowAnonymous=true lets everybody spend at the vendors: use API keys, or set ingress.authenticatedElsewhere=true where something before it asks who is there.',
    { ...REDIS, allowAnonymous: true, ingress: { enabled: true, hosts: [{ host: 'aic.example.org' }] } },
  ],
  [
    'gateway.enabled with allowAnonymous=true lets everybody spend at the vendors: use API keys, or set gateway.authenticatedElsewhere=true where something before it asks who is there.',
    {
      ...REDIS,
      allowAnonymous: true,
      gateway: { enabled: true, parentRefs: [{ name: 'g' }], hostnames: ['aic.example.org'] },
    },
  ],
  [
    'service.type=LoadBalancer with allowAnonymous=true lets everybody outside of the cluster in: use API keys, or service.type=ClusterIP.',
    { ...REDIS, allowAnonymous: true, service: { type: 'LoadBalancer' } },
  ],
  [
    'ingress.enabled needs ingress.hosts, such as [{host: aic.example.org}].',
    { ...REDIS, ingress: { enabled: true } },
  ],
  [
    'gateway.enabled needs gateway.parentRefs: the Gateways that the route belongs to.',
    { ...REDIS, gateway: { enabled: true, hostnames: ['aic.example.org'] } },
  ],
  [
    'The host "*.example.org" stands for many, and the server takes names alone: list them in its place, or let any host be named with allowedHosts=["*"].',
    { ...REDIS, ingress: { enabled: true, hosts: [{ host: '*.example.org' }] } },
  ],
  [
    'The host "" stands for many, and the server takes names alone: list them in its place, or let any host be named with allowedHosts=["*"].',
    { ...REDIS, gateway: { enabled: true, parentRefs: [{ name: 'g' }] } },
  ],
  [
    'metrics.job is missing: a-namespace-with-a-name-as-long-as-they-may-be.aic-ai-conversation-platform is longer than the 63 characters that a label may have.',
    REDIS,
    '--namespace',
    'a-namespace-with-a-name-as-long-as-they-may-be',
  ],
  [
    'metrics.serviceMonitor.authorization.existingSecret is missing: with your own API keys, /metrics wants one of the scope metrics:read.',
    { ...REDIS, apiKeys: { existingSecret: 'keys' }, metrics: { serviceMonitor: { enabled: true } } },
  ],
  [
    'networkPolicy.enabled shuts the way to Redis: say in networkPolicy.redis.to where it is, such as [{podSelector: {matchLabels: {app.kubernetes.io/name: redis}}}].',
    { ...REDIS, networkPolicy: { enabled: true } },
  ],
  [
    'networkPolicy.enabled shuts the way to tracing.endpoint: say in networkPolicy.collector.to where it is.',
    {
      ...REDIS,
      tracing: { endpoint: 'http://c:4318' },
      networkPolicy: { enabled: true, redis: { to: SOMEBODY } },
    },
  ],
  [
    'mesh.istio.enabled and mesh.linkerd.enabled would each put a proxy before the server: enable one of them.',
    { ...REDIS, mesh: { istio: { enabled: true }, linkerd: { enabled: true } } },
  ],
  [
    'terminationGracePeriodSeconds=8 is too short: behind preStopSeconds the server takes up to 5 s to hand its conversations over, 10 in all.',
    { ...REDIS, terminationGracePeriodSeconds: 8 },
  ],
];

/** Values that are wrong by themselves, with where Helm sees it. */
const WRONG: readonly [place: string, values: object][] = [
  ["at '': additional properties 'replicas' not allowed", { ...REDIS, replicas: 2 }],
  ["at '/redis': additional properties 'urll' not allowed", { redis: { urll: 'redis://redis:6379' } }],
  ["at '/redis/url'", { redis: { url: 'redis-master:6379' } }],
  [
    "at '/autoscaling': additional properties 'enabled' not allowed",
    { ...REDIS, autoscaling: { enabled: true } },
  ],
  [
    "at '/autoscaling/keda': additional properties 'enable' not allowed",
    { ...REDIS, autoscaling: { keda: { enable: true } } },
  ],
  [
    "at '/ingress/hosts/0': additional properties 'hostname' not allowed",
    { ...REDIS, ingress: { hosts: [{ host: 'a', hostname: 'a' }] } },
  ],
  ["at '/autoscaling/minReplicas'", { ...REDIS, autoscaling: { minReplicas: 0 } }],
  ["at '/replicaCount'", { ...REDIS, replicaCount: 'two' }],
  // Misspelt, secret, and set by another value.
  [
    "at '/config': additional properties 'LOG_LEVLE' not allowed",
    { ...REDIS, config: { LOG_LEVLE: 'debug' } },
  ],
  [
    "at '/config': additional properties 'OPENAI_API_KEY' not allowed",
    { ...REDIS, config: { OPENAI_API_KEY: 'sk-1' } },
  ],
  [
    "at '/config': additional properties 'REDIS_URL' not allowed",
    { ...REDIS, config: { REDIS_URL: 'redis://redis:6379' } },
  ],
  [
    "at '/config/OTEL_EXPORTER_OTLP_ENDPOINT'",
    { ...REDIS, config: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' } },
  ],
  [
    "at '/secrets': additional properties 'OPENAI_API_KEYS' not allowed",
    { ...REDIS, secrets: { OPENAI_API_KEYS: 'sk-1' } },
  ],
  ["at '/extraEnv/0/name'", { ...REDIS, extraEnv: [{ name: 'ALLOW_ANONYMOUS', value: 'true' }] }],
  ["at '/extraEnv/0/name'", { ...REDIS, extraEnv: [{ name: 'API_KEYS', value: '[]' }] }],
  ["at '/persistence/accessMode'", { replicaCount: 1, persistence: { accessMode: 'ReadWriteMany' } }],
  ["at '/secretsAs'", { ...REDIS, secretsAs: 'file' }],
  ["at '/metrics/job'", { ...REDIS, metrics: { job: 'talks/aic' } }],
  ["at '/allowedOrigins/0'", { ...REDIS, allowedOrigins: ['app.example.org'] }],
];

const given = (values: object): string[] => ['--set-json', JSON.stringify(values)];

describe('what does not go together is refused, and the sentence says what to do', () => {
  it.each(COMBINATIONS)('%s', async (sentence, values, ...further) => {
    const { code, output, errors } = await template(...given(values), ...further);
    expect(errors.split('\n')).toContain(sentence);
    expect(output).toBe('');
    expect(code).toBe(1);
  });

  it('all faults at once', async () => {
    const { errors } = await template(
      ...given({ replicaCount: 3, persistence: { enabled: false }, autoscaling: { hpa: { enabled: true } } }),
    );
    const sentences = errors.split('\n').filter((line) => line.endsWith('.'));
    expect(sentences).toHaveLength(3);
  });
});

describe('what is wrong by itself is refused where it stands', () => {
  it.each(WRONG)('%s: %j', async (place, values) => {
    const { code, output, errors } = await template(...given(values));
    expect(errors).toContain(`- ${place}`);
    expect(output).toBe('');
    expect(code).toBe(1);
  });
});

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean | Schema;
}

/** Values with a name that nobody knows in every group that takes known names alone; `places` says where. */
function misspeltIn(
  { properties = {}, items, additionalProperties }: Schema,
  at: string,
  places: string[],
): unknown {
  if (items) return [misspeltIn(items, `${at}/0`, places)];
  const isStrict = additionalProperties === false;
  if (isStrict) places.push(at);
  const within = Object.entries(properties).flatMap(([name, schema]) => {
    const before = places.length;
    const value = misspeltIn(schema, `${at}/${name}`, places);
    return places.length > before ? [[name, value] as const] : [];
  });
  return { ...Object.fromEntries(within), ...(isStrict ? { misspelt: 1 } : {}) };
}

it('a misspelt name is refused in every group of values', async () => {
  const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, 'utf8')) as Schema;
  const places: string[] = [];
  const values = misspeltIn(schema, '', places) as object;
  const { code, output, errors } = await template(...given(values));
  const refused = places.filter((place) =>
    errors.includes(`- at '${place}': additional properties 'misspelt' not allowed`),
  );
  expect(refused).toEqual(places);
  expect({ code, output }).toEqual({ code: 1, output: '' });
  // Whoever adds a group has it here: all that values.yaml has, but for names that are free.
  const defaults: unknown = parse(readFileSync(`${CHART}/values.yaml`, 'utf8'));
  const free = /\/(podAnnotations|podLabels|annotations|labels|nodeSelector|affinity|requests|limits)$/;
  expect(groupsIn(defaults, '').filter((group) => !places.includes(group) && !free.test(group))).toEqual([]);
});

/** The path of each mapping of names to values. */
function groupsIn(value: unknown, at: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return [at, ...Object.entries(value).flatMap(([name, within]) => groupsIn(within, `${at}/${name}`))];
}

it('every refusal of the chart has its case', () => {
  const text = readFileSync(`${CHART}/templates/_refusals.tpl`, 'utf8');
  const sentences = [...text.matchAll(/append \$faults (?:\(printf )?"((?:[^"\\]|\\.)*)"/g)].map(
    ([, sentence = '']) => sentence,
  );
  expect(sentences).toHaveLength(text.split('append $faults').length - 1);
  for (const sentence of sentences) {
    const [beginning = ''] = sentence
      .replaceAll('\\"', '"')
      .split(/%[dqs]/)
      .filter((part) => part.length > 8);
    const cases = COMBINATIONS.filter(([expected]) => expected.includes(beginning));
    expect({ beginning, cases: cases.length > 0 }).toEqual({ beginning, cases: true });
  }
});
