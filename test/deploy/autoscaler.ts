/** As in a HorizontalPodAutoscaler's `behavior`, whose two sides each have a window and policies. */
export interface Behavior {
  scaleUp: Side;
  scaleDown: Side;
}

interface Side {
  stabilizationWindowSeconds: number;
  policies: { type: 'Pods' | 'Percent'; value: number; periodSeconds: number }[];
}

export interface Scaling {
  minReplicas: number;
  maxReplicas: number;
  behavior: Behavior;
  /** For each metric, how much of it a pod is for. */
  targets: number[];
}

/** What it knows at a moment; times are seconds. */
export interface State {
  replicas: number;
  recommended: readonly { at: number; replicas: number }[];
  changes: readonly { at: number; by: number }[];
}

/** How far a value may be from the target without anything being done: Kubernetes' default. */
const TOLERANCE = 0.1;

export function begin(replicas: number): State {
  return { replicas, recommended: [], changes: [] };
}

/**
 * The autoscaler of Kubernetes for metrics of the type AverageValue, as a function of its state, the metrics' values,
 * and the time: https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details. A value
 * that is missing keeps the number from going down, and so does KEDA's `currentReplicasIfHigher`.
 */
export function next(
  state: State,
  values: readonly (number | undefined)[],
  at: number,
  scaling: Scaling,
): State {
  const { minReplicas, maxReplicas, behavior, targets } = scaling;
  const wished = targets.map((target, index) => wishOf(values[index], target, state.replicas));
  const wish = clamp(Math.max(...wished), minReplicas, maxReplicas);
  const { scaleUp, scaleDown } = behavior;
  const window = Math.max(scaleUp.stabilizationWindowSeconds, scaleDown.stabilizationWindowSeconds);
  const recommended = [...state.recommended, { at, replicas: wish }].filter(
    (each) => each.at > at - window || each.at === at,
  );
  const within = (seconds: number): number[] =>
    recommended.filter((each) => each.at > at - seconds || each.at === at).map(({ replicas }) => replicas);
  const lowest = Math.min(...within(scaleUp.stabilizationWindowSeconds));
  const highest = Math.max(...within(scaleDown.stabilizationWindowSeconds));
  const { replicas } = state;
  const stabilized = replicas < lowest ? lowest : replicas > highest ? highest : replicas;
  const limited =
    stabilized > replicas
      ? Math.min(stabilized, Math.max(...scaleUp.policies.map((policy) => upTo(state, policy, at))))
      : Math.max(stabilized, Math.min(...scaleDown.policies.map((policy) => downTo(state, policy, at))));
  const by = limited - replicas;
  return {
    replicas: limited,
    recommended,
    changes: by === 0 ? state.changes : [...state.changes, { at, by }],
  };
}

function wishOf(value: number | undefined, target: number, replicas: number): number {
  if (value === undefined) return replicas;
  const isNear = Math.abs(value / (target * replicas) - 1) <= TOLERANCE;
  return isNear ? replicas : Math.ceil(value / target);
}

type Policy = Side['policies'][number];

/** By how much it went up, or down, within the period of a policy. */
function changed({ changes }: State, { periodSeconds }: Policy, at: number, direction: 1 | -1): number {
  return changes
    .filter((change) => change.at > at - periodSeconds && Math.sign(change.by) === direction)
    .reduce((sum, change) => sum + change.by, 0);
}

function upTo(state: State, policy: Policy, at: number): number {
  const before = state.replicas - changed(state, policy, at, 1);
  return policy.type === 'Pods' ? before + policy.value : Math.ceil(before * (1 + policy.value / 100));
}

function downTo(state: State, policy: Policy, at: number): number {
  const before = state.replicas - changed(state, policy, at, -1);
  return policy.type === 'Pods' ? before - policy.value : Math.floor(before * (1 - policy.value / 100));
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
