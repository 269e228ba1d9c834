import { z } from 'zod';
import { PLAIN, SECRET, SET_BY_THE_CHART } from './variables.ts';

const text = z.string();
const whole = (minimum: number, maximum = 1_000_000) => z.int().min(minimum).max(maximum);
/** Names and values of labels, annotations and node selectors. */
const pairs = z.record(text, text);
/** What a cluster checks by itself. */
const anything = z.looseObject({});
const list = z.array(anything);
const quantity = z.string().regex(/^[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$/);
/** A DNS name, where `*.` may stand in front, or nothing for any. */
const host = z.string().regex(/^(\*\.)?[a-z0-9.-]*$/);
const url = z.string().regex(/^(https?:\/\/[^\s/]+\S*)?$/);
const existingSecret = { existingSecret: text, existingSecretKey: z.string().min(1) };
const path = z.strictObject({
  path: z.string().startsWith('/'),
  pathType: z.enum(['Prefix', 'Exact', 'ImplementationSpecific']).optional(),
});
const managed = [...new Set(SET_BY_THE_CHART.flatMap((name) => [name, `${name}_FILE`]))];
/** Helm's regular expressions can't look ahead, so that the schema says it in another way. */
const notManaged = z
  .string()
  .min(1)
  .meta({ not: { enum: managed } });
const plain = z.union([text, z.number(), z.boolean()]).optional();
/** Whatever OpenTelemetry's SDK reads, but for what `tracing.endpoint` sets. */
const openTelemetry = {
  patternProperties: { '^OTEL_[A-Z0-9_]+$': { type: ['string', 'number', 'boolean'] } },
};
/** An object that may have these fields. */
const some = <Field extends z.ZodType>(names: readonly string[], field: Field) =>
  z.strictObject(Object.fromEntries(names.map((name) => [name, field])));

/** What the chart takes: a value that isn't here is refused, and so is one of another type. */
export const values = z.strictObject({
  /** Helm hands it to every chart that another one includes. */
  global: anything.optional(),
  replicaCount: whole(1, 1000),
  image: z.strictObject({
    repository: z.string().min(1),
    tag: text,
    digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
    pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
  }),
  imagePullSecrets: z.array(z.strictObject({ name: text })),
  nameOverride: text,
  fullnameOverride: text,
  redis: z.strictObject({
    url: z.string().regex(/^(rediss?(\+sentinel|\+cluster)?:\/\/\S+)?$/),
    ...existingSecret,
  }),
  existingSecret: text,
  existingSecretKeys: z.array(z.enum(SECRET)),
  secrets: some(SECRET, z.string().min(1).optional()),
  secretsAs: z.enum(['environment', 'files']),
  apiKeys: z.strictObject(existingSecret),
  allowAnonymous: z.boolean(),
  allowedHosts: z.array(z.string().regex(/^(\*|[A-Za-z0-9.:-]+)$/)),
  allowedOrigins: z.array(z.string().regex(/^https?:\/\/[^\s/,]+$/)),
  config: some(PLAIN, plain)
    .extend({ OTEL_EXPORTER_OTLP_ENDPOINT: z.never().optional() })
    .meta(openTelemetry),
  maxActiveConversations: whole(1),
  persistence: z.strictObject({
    enabled: z.boolean(),
    storageClass: text,
    accessMode: z.enum(['ReadWriteOnce', 'ReadWriteOncePod']),
    size: quantity,
    existingClaim: text,
    annotations: pairs,
  }),
  service: z.strictObject({
    type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']),
    port: whole(1, 65_535),
    appProtocol: text,
    annotations: pairs,
  }),
  ingress: z.strictObject({
    enabled: z.boolean(),
    className: text,
    annotations: pairs,
    hosts: z.array(z.strictObject({ host, paths: z.array(path).min(1).optional() })),
    tls: z.array(z.strictObject({ secretName: text, hosts: z.array(host) })),
    authenticatedElsewhere: z.boolean(),
  }),
  gateway: z.strictObject({
    enabled: z.boolean(),
    parentRefs: z.array(
      z.strictObject({ name: text, namespace: text.optional(), sectionName: text.optional() }),
    ),
    hostnames: z.array(host),
    annotations: pairs,
    authenticatedElsewhere: z.boolean(),
  }),
  autoscaling: z.strictObject({
    minReplicas: whole(1, 1000),
    maxReplicas: whole(1, 1000),
    conversationsPerReplica: whole(1),
    streamsPerReplica: whole(0),
    scaleUp: z.strictObject({ podsPerMinute: whole(1, 1000) }),
    scaleDown: z.strictObject({ stabilizationSeconds: whole(0, 3600), secondsPerPod: whole(1, 1800) }),
    keda: z.strictObject({
      enabled: z.boolean(),
      serverAddress: url,
      pollingInterval: whole(1, 3600),
      authenticationRef: z.strictObject({
        name: text.optional(),
        kind: z.enum(['TriggerAuthentication', 'ClusterTriggerAuthentication']).optional(),
      }),
    }),
    hpa: z.strictObject({
      enabled: z.boolean(),
      conversationsMetric: z.string().min(1),
      streamsMetric: z.string().min(1),
    }),
  }),
  metrics: z.strictObject({
    job: z.string().regex(/^([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?$/),
    serviceMonitor: z.strictObject({
      enabled: z.boolean(),
      labels: pairs,
      interval: z.string().regex(/^[0-9]+(ms|s|m)$/),
      authorization: z.strictObject(existingSecret),
    }),
    prometheusRule: z.strictObject({
      enabled: z.boolean(),
      labels: pairs,
      runbookUrl: text,
      memoryHighBytes: whole(1, Number.MAX_SAFE_INTEGER),
    }),
    dashboards: z.strictObject({ enabled: z.boolean(), labels: pairs, annotations: pairs }),
  }),
  tracing: z.strictObject({ endpoint: url }),
  networkPolicy: z.strictObject({
    enabled: z.boolean(),
    from: list,
    redis: z.strictObject({ to: list, ports: z.array(whole(1, 65_535)).min(1) }),
    vendors: z.strictObject({
      cidrs: z.array(text),
      except: z.array(text),
      ports: z.array(whole(1, 65_535)).min(1),
    }),
    collector: z.strictObject({ to: list, ports: z.array(whole(1, 65_535)).min(1) }),
    dns: z.strictObject({ to: list }),
    extraEgress: list,
  }),
  mesh: z.strictObject({
    istio: z.strictObject({ enabled: z.boolean() }),
    linkerd: z.strictObject({ enabled: z.boolean() }),
  }),
  podDisruptionBudget: z.strictObject({ enabled: z.boolean() }),
  preStopSeconds: whole(0, 3600),
  terminationGracePeriodSeconds: whole(0, 7200),
  resources: z.strictObject({
    requests: z.record(text, z.union([text, z.number()])).optional(),
    limits: z.record(text, z.union([text, z.number()])).optional(),
  }),
  serviceAccount: z.strictObject({ create: z.boolean(), name: text, annotations: pairs }),
  podAnnotations: pairs,
  podLabels: pairs,
  annotations: pairs,
  topologySpreadConstraints: list,
  nodeSelector: pairs,
  tolerations: list,
  affinity: anything,
  priorityClassName: text,
  extraEnv: z.array(z.looseObject({ name: notManaged })),
  extraVolumes: list,
  extraVolumeMounts: list,
  scratch: z.strictObject({ dataSize: quantity, temporarySize: quantity }),
});

export type Values = z.input<typeof values>;

/** The schema that Helm holds values against. */
export function valuesSchema(): object {
  return z.toJSONSchema(values, { target: 'draft-7', io: 'input' });
}
