import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Behavior, begin, next, type Scaling } from './autoscaler.ts';
import { type Series, startBackfilled } from './backfilled-prometheus.ts';
import { type Manifest, render, theOne } from './helm.ts';
import type { Recording } from './recording.ts';

const REDIS = ['--set', 'redis.url=redis://redis-master:6379'];
const KEDA = [
  ...REDIS,
  '--set',
  'autoscaling.keda.enabled=true,autoscaling.keda.serverAddress=http://prometheus:9090',
];
const HPA = [...REDIS, '--set', 'autoscaling.hpa.enabled=true'];
const RECORDING = JSON.parse(
  readFileSync(new URL('recorded-load.json', import.meta.url), 'utf8'),
) as Recording;
const DOCUMENT = readFileSync(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8');
/** It was recorded at a tenth of the numbers. */
const TENFOLD = 10;

interface ScaledObject {
  spec: {
    minReplicaCount: number;
    maxReplicaCount: number;
    fallback: object;
    advanced: { horizontalPodAutoscalerConfig: { behavior: Behavior } };
    triggers: {
      metricType: string;
      metadata: { query: string; threshold: string; ignoreNullValues: string };
    }[];
  };
}

interface Autoscaler {
  spec: {
    minReplicas: number;
    maxReplicas: number;
    behavior: Behavior;
    metrics: { external: { metric: { name: string }; target: { type: string; averageValue: string } } }[];
  };
}

function scalingOf(manifests: readonly Manifest[]): Scaling & { queries: string[] } {
  const { spec } = theOne(manifests, 'ScaledObject') as Manifest & ScaledObject;
  return {
    minReplicas: spec.minReplicaCount,
    maxReplicas: spec.maxReplicaCount,
    behavior: spec.advanced.horizontalPodAutoscalerConfig.behavior,
    targets: spec.triggers.map(({ metadata }) => Number(metadata.threshold)),
    queries: spec.triggers.map(({ metadata }) => metadata.query),
  };
}

/** The recording as a Prometheus has it that also asks another release, which has far more to do. */
function seriesOf({ samples }: Recording, from: number, job: string): Series[] {
  const pods = [...new Set(samples.flatMap((sample) => Object.keys(sample.pods)))];
  const gauge = (
    name: string,
    labels: Record<string, string>,
    of: (pod: Recording['samples'][number]['pods'][string]) => number,
  ): Series[] =>
    pods.map((instance) => ({
      name,
      labels: { job, instance, ...labels },
      samples: samples.flatMap(({ at, pods: answered }) => {
        const pod = answered[instance];
        return pod ? [[from + at, of(pod) * TENFOLD] as const] : [];
      }),
    }));
  const other = { job: 'other.conversations', instance: 'other-0' };
  const busy = samples.map(({ at }) => [from + at, 1e6] as const);
  return [
    ...gauge('ai_queue_jobs', { state: 'waiting' }, ({ waiting }) => waiting),
    ...gauge('ai_queue_jobs', { state: 'active' }, ({ active }) => active),
    ...gauge('ai_queue_jobs', { state: 'delayed' }, () => 7),
    { name: 'ai_queue_jobs', labels: { ...other, state: 'waiting' }, samples: busy },
    ...gauge('ai_stream_clients', { transport: 'sse' }, ({ running }) => running / 3),
    { name: 'ai_stream_clients', labels: { ...other, transport: 'sse' }, samples: busy },
  ];
}

/** How often the number went up again after it had gone down, or the other way round. */
function turnsIn(replicas: readonly number[]): number {
  const steps = replicas.slice(1).map((value, index) => Math.sign(value - (replicas[index] ?? 0)));
  const moves = steps.filter((step) => step !== 0);
  return moves.slice(1).filter((step, index) => step !== moves[index]).length;
}

function replay(values: readonly (number | undefined)[][], scaling: Scaling): number[] {
  let state = begin(scaling.minReplicas);
  return values.map((each, index) => {
    state = next(state, each, index * RECORDING.every, scaling);
    return state.replicas;
  });
}

describe('over the metrics of real instances', () => {
  it('replicas follow the conversations that run and wait, and come down without flapping', async () => {
    const { queries, ...scaling } = scalingOf(await render(...KEDA));
    const { samples, every } = RECORDING;
    const from = Math.floor(Date.now() / 1000 / every) * every - 3 * 3600;
    const evaluate = await startBackfilled(seriesOf(RECORDING, from, 'talks.aic-ai-conversation-platform'));
    const to = from + (samples.at(-1)?.at ?? 0);
    const evaluated = await Promise.all(queries.map((query) => evaluate(query, from, to, every)));
    const values = samples.map(({ at }) => evaluated.map((each) => each.get(from + at)));
    // The query says what there was, and nothing of the other release's.
    expect(values.map(([conversations]) => conversations)).toEqual(
      samples.map(({ alive }) => alive * TENFOLD),
    );

    // What the chart asks for is what the instances were started and drained by as this was recorded.
    const replicas = replay(
      values.map(([conversations]) => [conversations]),
      { ...scaling, targets: scaling.targets.slice(0, 1) },
    );
    expect(replicas).toEqual(samples.map((sample) => sample.replicas));
    const waiting = samples.map(({ pods }) => Math.max(0, ...Object.values(pods).map((pod) => pod.waiting)));
    const longest = Math.max(
      ...waiting
        .join(' ')
        .split(/\b0\b/)
        .map((run) => run.trim().split(' ').filter(Boolean).length),
    );
    const most = Math.max(...samples.map(({ alive }) => alive)) * TENFOLD;
    // What docs/kubernetes.md says of it.
    expect(DOCUMENT.replaceAll(/\s+/g, ' ')).toContain(
      `There were ${Math.min(...replicas)} to ${Math.max(...replicas)} pods for at most ${most.toLocaleString('en-US')} ` +
        `conversations, some of which waited for ${longest * every} s at most,`,
    );
    expect(Math.max(...waiting)).toBeGreaterThan(0);
    expect(longest * every).toBeLessThanOrEqual(120);
    // Up with the day and down with the evening, whatever it wavered between.
    expect(turnsIn(replicas)).toBe(1);
    expect(replicas.at(-1)).toBe(scaling.minReplicas);
    // One leaves at a time, and none sooner than the one before has handed over.
    for (const [index, value] of replicas.entries())
      expect((replicas[index - 1] ?? value) - value).toBeLessThanOrEqual(1);

    // Without the chart's window, the same load makes pods come and go.
    const hasty = {
      ...scaling,
      behavior: {
        ...scaling.behavior,
        scaleDown: { ...scaling.behavior.scaleDown, stabilizationWindowSeconds: 0 },
      },
    };
    expect(turnsIn(replay(values, hasty))).toBeGreaterThanOrEqual(3);
    // Readers alone bring pods, too.
    const streams = values.map(([, each = 0]) => [undefined, each * 30]);
    expect(Math.max(...replay(streams, scaling))).toBeGreaterThan(scaling.minReplicas);
  });
});

describe('the chart', () => {
  it('has KEDA and the HorizontalPodAutoscaler do the same', async () => {
    const keda = scalingOf(await render(...KEDA));
    const { spec } = theOne(await render(...HPA), 'HorizontalPodAutoscaler') as Manifest & Autoscaler;
    expect(spec).toMatchObject({
      minReplicas: keda.minReplicas,
      maxReplicas: keda.maxReplicas,
      behavior: keda.behavior,
    });
    expect(spec.metrics.map(({ external }) => Number(external.target.averageValue))).toEqual(keda.targets);
    for (const { external } of spec.metrics) expect(external.target.type).toBe('AverageValue');
  });

  it('lets nothing leave while nobody knows how many conversations there are', async () => {
    const { spec } = theOne(await render(...KEDA), 'ScaledObject') as Manifest & ScaledObject;
    expect(spec.fallback).toEqual({ failureThreshold: 3, replicas: 2, behavior: 'currentReplicasIfHigher' });
    for (const { metricType, metadata } of spec.triggers) {
      expect(metricType).toBe('AverageValue');
      expect(metadata.ignoreNullValues).toBe('false');
    }
  });
});

describe('the autoscaler as Kubernetes describes it', () => {
  const scaling: Scaling = {
    minReplicas: 2,
    maxReplicas: 20,
    targets: [100],
    behavior: {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        policies: [
          { type: 'Percent', value: 100, periodSeconds: 60 },
          { type: 'Pods', value: 4, periodSeconds: 60 },
        ],
      },
      scaleDown: {
        stabilizationWindowSeconds: 300,
        policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }],
      },
    },
  };
  const after = (values: readonly (number | undefined)[], from = 2): number[] => {
    let state = begin(from);
    return values.map((value, index) => {
      state = next(state, [value], index * 15, scaling);
      return state.replicas;
    });
  };

  it('goes to as many as suffice, rounded up, and no further in a minute than the larger policy', () => {
    expect(after([450])).toEqual([5]);
    expect(after([5000, 5000, 5000, 5000, 5000, 5000])).toEqual([6, 6, 6, 6, 12, 12]);
    expect(after(Array(16).fill(1e6) as number[]).at(-1)).toBe(20);
  });

  it('does nothing within a tenth of the target, and nothing without a value', () => {
    expect(after([219, 181], 2)).toEqual([2, 2]);
    expect(after([undefined, undefined], 9)).toEqual([9, 9]);
  });

  it('goes down to the highest wish of five minutes, and one pod a minute', () => {
    const values = [800, ...(Array(40).fill(300) as number[])];
    const replicas = after(values, 8);
    expect(replicas.indexOf(7) * 15).toBe(300);
    expect(replicas.indexOf(6) * 15).toBe(360);
    expect(replicas.at(-1)).toBe(3);
  });

  it('never leaves its bounds', () => {
    expect(after([0, ...(Array(60).fill(0) as number[])], 3).at(-1)).toBe(2);
  });
});
