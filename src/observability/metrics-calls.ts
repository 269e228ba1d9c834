import type { Histogram } from 'prom-client';
import type { Happening } from '../conversation/happenings.ts';
import type { ModelLabels } from './metrics-models.ts';
import type { MetricRegistry } from './metrics-registry.ts';

/** The trace that a conversation's turn belongs to, as 32 hexadecimal digits; undefined where there is none. */
export type TraceIdOf = (conversationId: string) => string | undefined;

type Labels = { provider: string; model: string };

/** Takes a value, and the trace to find it by. */
type Observe = (value: number, traceId: string | undefined) => void;

/** What calls of one model have come to: plain numbers, because looking counters up costs more than a turn may. */
interface Tally {
  succeeded: number;
  failed: number;
  turns: number;
  inputTokens: number;
  outputTokens: number;
  /** US dollars; undefined until a price was known. */
  cost: number | undefined;
}

/** Runs whose last turn's time is kept; one that was forgotten has its next turn not timed. */
const MOST_RUNS = 100_000;

/**
 * Counts calls and turns. Nothing but what is in the log counts as a turn, as tokens or as cost, so that the sums
 * over the log are the same.
 */
export function callMeters(
  registry: MetricRegistry,
  labelsOf: ModelLabels,
  traceIdOf: TraceIdOf = () => undefined,
  now: () => number = () => performance.now(),
): (happening: Happening) => void {
  const responseSeconds = registry.histogram('responseSeconds', true);
  const errors = registry.counter('errors');
  const retries = registry.counter('retries');
  const repeatedCalls = registry.counter('repeatedCalls');
  const turnSeconds = registry.histogram('turnSeconds', true);
  const timeToFirstTokenSeconds = registry.histogram('timeToFirstTokenSeconds', true);
  const outputTokensPerSecond = registry.histogram('outputTokensPerSecond');
  const laneWaitSeconds = registry.histogram('laneWaitSeconds');

  const metersOf = (labels: Labels) => ({
    labels,
    tally: newTally(),
    responseSeconds: observer(responseSeconds, labels),
    turnSeconds: observer(turnSeconds, labels),
    timeToFirstTokenSeconds: observer(timeToFirstTokenSeconds, labels),
    outputTokensPerSecond: outputTokensPerSecond.labels(labels),
    laneWaitSeconds: laneWaitSeconds.labels(labels),
  });
  const byModel = new Map<string, Map<string, ReturnType<typeof metersOf>>>();
  const meters = (provider: string, model: string): ReturnType<typeof metersOf> => {
    const known = byModel.get(provider)?.get(model);
    if (known) return known;
    const labels = labelsOf(provider, model);
    const models = byModel.get(labels.provider) ?? new Map<string, ReturnType<typeof metersOf>>();
    byModel.set(labels.provider, models);
    const made = models.get(labels.model) ?? metersOf(labels);
    models.set(labels.model, made);
    return made;
  };
  registerTallies(registry, () => Array.from(byModel.values(), (models) => [...models.values()]).flat());

  /** When the last turn of each run ended, or the run began. */
  const runs = new Map<string, number>();
  const begin = (conversationId: string): void => {
    runs.set(conversationId, now());
    if (runs.size <= MOST_RUNS) return;
    for (const oldest of runs.keys()) {
      runs.delete(oldest);
      return;
    }
  };

  return (happening) => {
    const { conversationId } = happening;
    switch (happening.type) {
      case 'conversation.started':
      case 'conversation.resumed':
        return begin(conversationId);
      case 'conversation.paused':
      case 'conversation.ended':
        runs.delete(conversationId);
        return;
      case 'attempt.started': {
        const { provider, model } = happening.attempt;
        return meters(provider, model).laneWaitSeconds.observe(happening.waitedMs / 1000);
      }
      case 'attempt.succeeded': {
        const { provider, model } = happening.attempt;
        const meter = meters(provider, model);
        meter.tally.succeeded++;
        const { latencyMs = 0 } = happening.answer.metadata;
        return meter.responseSeconds(latencyMs / 1000, traceIdOf(conversationId));
      }
      case 'attempt.failed':
      case 'attempt.abandoned': {
        const { provider, model } = happening.attempt;
        const meter = meters(provider, model);
        const of = { provider: meter.labels.provider };
        meter.tally.failed++;
        meter.responseSeconds(happening.latencyMs / 1000, traceIdOf(conversationId));
        if (happening.type === 'attempt.abandoned') {
          runs.delete(conversationId);
          return errors.inc({ ...of, error_type: 'aborted' });
        }
        const { error, retryInMs } = happening;
        errors.inc({ ...of, error_type: error.code });
        if (retryInMs !== null) retries.inc({ ...of, error_type: error.code });
        return;
      }
      case 'attempt.repeated': {
        const { provider, model } = happening.attempt;
        return repeatedCalls.inc({ provider: meters(provider, model).labels.provider });
      }
      case 'call.charged': {
        const { provider = '', model = '', inputTokens = 0, outputTokens = 0, costUsd } = happening.call;
        const { tally } = meters(provider, model);
        tally.inputTokens += inputTokens;
        tally.outputTokens += outputTokens;
        if (costUsd !== undefined) tally.cost = (tally.cost ?? 0) + costUsd;
        return;
      }
      case 'turn.taken': {
        const { metadata } = happening.event.message;
        const { provider = '', model = '', outputTokens = 0, latencyMs = 0, timeToFirstTokenMs } = metadata;
        const meter = meters(provider, model);
        meter.tally.turns++;
        if (latencyMs > 0) meter.outputTokensPerSecond.observe((outputTokens * 1000) / latencyMs);
        const traceId = traceIdOf(conversationId);
        if (timeToFirstTokenMs !== undefined)
          meter.timeToFirstTokenSeconds(timeToFirstTokenMs / 1000, traceId);
        const before = runs.get(conversationId);
        if (before === undefined) return;
        const at = now();
        runs.set(conversationId, at);
        return meter.turnSeconds((at - before) / 1000, traceId);
      }
      default:
        return undefined;
    }
  };
}

function newTally(): Tally {
  return { succeeded: 0, failed: 0, turns: 0, inputTokens: 0, outputTokens: 0, cost: undefined };
}

/** Counters that are read off the tallies whenever the metrics are. */
function registerTallies(
  registry: MetricRegistry,
  meters: () => Iterable<{ labels: Labels; tally: Tally }>,
): void {
  registry.counter('calls', (counter) => {
    counter.reset();
    for (const { labels, tally } of meters()) {
      counter.inc({ ...labels, status: 'success' }, tally.succeeded);
      counter.inc({ ...labels, status: 'error' }, tally.failed);
    }
  });
  registry.counter('tokens', (counter) => {
    counter.reset();
    for (const { labels, tally } of meters()) {
      counter.inc({ ...labels, type: 'input' }, tally.inputTokens);
      counter.inc({ ...labels, type: 'output' }, tally.outputTokens);
    }
  });
  registry.counter('turns', (counter) => {
    counter.reset();
    for (const { labels, tally } of meters()) counter.inc(labels, tally.turns);
  });
  registry.counter('cost', (counter) => {
    counter.reset();
    for (const { labels, tally } of meters()) if (tally.cost !== undefined) counter.inc(labels, tally.cost);
  });
}

function observer(histogram: Histogram<keyof Labels>, labels: Labels): Observe {
  const plain = histogram.labels(labels);
  return (value, traceId) => {
    if (traceId === undefined) plain.observe(value);
    // The types take an exemplar's labels for the metric's own.
    else histogram.observe({ labels, value, exemplarLabels: { trace_id: traceId } as object });
  };
}
