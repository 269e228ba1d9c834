import type { Manifest } from './helm.ts';

export interface Variable {
  name: string;
  value?: string;
  valueFrom?: { secretKeyRef?: { name: string; key: string }; fieldRef?: { fieldPath: string } };
}

export interface Probe {
  httpGet: { path: string; port: string };
  periodSeconds: number;
  timeoutSeconds: number;
  failureThreshold: number;
}

export interface Container {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  env?: Variable[];
  envFrom?: { configMapRef?: { name: string }; secretRef?: { name: string } }[];
  startupProbe?: Probe;
  livenessProbe?: Probe;
  readinessProbe?: Probe;
  lifecycle?: { preStop?: { sleep: { seconds: number } } };
  securityContext?: {
    allowPrivilegeEscalation?: boolean;
    readOnlyRootFilesystem?: boolean;
    capabilities?: { drop?: string[] };
  };
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
  ports?: { name: string; containerPort: number }[];
}

export interface SecretSource {
  items?: { key: string; path: string }[];
}

export interface Volume {
  name: string;
  emptyDir?: object;
  secret?: SecretSource & { secretName: string };
  projected?: { sources: { secret: SecretSource & { name: string } }[] };
  configMap?: { name: string };
  persistentVolumeClaim?: { claimName: string };
}

export interface PodSpec {
  containers: [Container, ...Container[]];
  volumes?: Volume[];
  securityContext: { runAsNonRoot?: boolean; runAsUser?: number; seccompProfile?: { type: string } };
  automountServiceAccountToken?: boolean;
  enableServiceLinks?: boolean;
  serviceAccountName?: string;
  terminationGracePeriodSeconds?: number;
}

export interface Workload extends Manifest {
  spec: {
    replicas?: number;
    selector: { matchLabels: Record<string, string> };
    template: {
      metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
      spec: PodSpec;
    };
    volumeClaimTemplates?: { metadata: { name: string } }[];
  };
}

/** The Deployment or the StatefulSet. */
export function workloadOf(manifests: readonly Manifest[]): Workload {
  const found = manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
  if (found.length !== 1) throw new Error(`${found.length} workloads`);
  return found[0] as Workload;
}

/** Every pod that comes of the objects: those of the workload, and those of tests. */
export function podsOf(manifests: readonly Manifest[]): PodSpec[] {
  const alone = manifests.filter(({ kind }) => kind === 'Pod').map(({ spec }) => spec as PodSpec);
  return [workloadOf(manifests).spec.template.spec, ...alone];
}

/** The variables that stand in the container itself, by name. */
export function variablesOf({ env = [] }: Container): Map<string, Variable> {
  return new Map(env.map((variable) => [variable.name, variable]));
}
