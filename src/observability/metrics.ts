import { setTimeout as delay } from 'node:timers/promises';
import type { Happening } from '../conversation/happenings.ts';
import type { CircuitState } from '../conversation/turn/lane.ts';
import { terminationReason } from '../protocol/ending.ts';
import { loopKind } from '../protocol/events.ts';
import type { GuardFinding } from '../protocol/guard.ts';
import { NO_ROUTE } from './metric-names.ts';
import { callMeters, type TraceIdOf } from './metrics-calls.ts';
import { lookUpMeters } from './metrics-knowledge.ts';
import { modelLabels } from './metrics-models.ts';
import { MetricRegistry, OPENMETRICS_TEXT, PROMETHEUS_TEXT } from './metrics-registry.ts';
import { type StreamTallies, streamTallies } from './metrics-streams.ts';
import { voiceMeters } from './metrics-voices.ts';
import type { LogLosses } from './standard-output.ts';

/** How busy the lane to a model is. */
export interface LaneLoad {
  provider: string;
  model: string;
  circuit: CircuitState;
  running: number;
  waiting: number;
  places: number;
}

/** What is asked at each reading, and what there is to know from the start. What is undefined has no metric. */
export interface MetricSources {
  build: { version: string; node: string };
  /** Pairs of provider and model that are counted by name. */
  knownModels: Iterable<readonly [provider: string, model: string]>;
  activeConversations: () => number;
  /** Of this process, waiting for a place; where all instances share a queue, `jobs` says more. */
  queuedConversations?: (() => Promise<number>) | undefined;
  lanes: () => Iterable<LaneLoad>;
  /** US dollars. */
  dailyCost?: { committed: () => Promise<number>; limit: number } | undefined;
  sqliteBytes?: (() => { database: number; wal: number }) | undefined;
  /** Of all instances. */
  jobs?: (() => Promise<{ waiting: number; active: number; delayed: number }>) | undefined;
  logLosses: Readonly<LogLosses>;
  traceIdOf?: TraceIdOf | undefined;
}

/** A request as it is counted; `route` is the template, `seconds` undefined where the answer was a stream. */
export interface AnsweredRequest {
  method: string;
  route: string | undefined;
  status: number;
  seconds: number | undefined;
}

const WEBHOOK_OUTCOMES = ['delivered', 'retried', 'failed', 'disabled'] as const;
type WebhookOutcome = (typeof WEBHOOK_OUTCOMES)[number];

/** The metrics of one process; docs/metrics.md. */
export interface Metrics {
  /**
   * All of them and their content type: OpenMetrics, which has traces as exemplars, where the Accept header asks
   * for it, else the text format of Prometheus.
   */
  expose(accept?: string): Promise<{ contentType: string; body: string }>;
  observe(happening: Happening): void;
  circuitChanged(change: { provider: string; model: string; to: CircuitState }): void;
  /** An append to the log is over. */
  appended(backend: 'sqlite' | 'redis', milliseconds: number): void;
  /** The log refused for good what a run had to write. */
  storageRefused(backend: 'sqlite' | 'redis'): void;
  /** Whether what shields vendors is shared with the other instances at the moment. */
  protectionShared(kind: 'circuit' | 'rate_limit', isShared: boolean): void;
  /** Guards found something in texts on their way. */
  guardFound(way: 'in' | 'out', found: readonly GuardFinding[]): void;
  /** A webhook was tried to be told; where it was, so many seconds after the event. */
  webhookTried(outcome: WebhookOutcome, lagSeconds?: number): void;
  answered(request: AnsweredRequest): void;
  logged(level: string): void;
  /** For the server to count in. */
  streams: StreamTallies;
}

/** How long a scrape waits for what isn't in this process; Prometheus gives it 10 s in all. */
const READ_WITHIN_MS = 500;

const CIRCUIT_VALUES: Record<CircuitState, number> = { closed: 0, half_open: 1, open: 2 };

export function createMetrics(sources: MetricSources): Metrics {
  const registry = new MetricRegistry();
  const labelsOf = modelLabels(sources.knownModels);
  registerGauges(registry, sources);
  registerLanes(registry, labelsOf, sources.lanes);

  const countCalls = callMeters(registry, labelsOf, sources.traceIdOf);
  const countVoices = voiceMeters(registry);
  const ended = registry.counter('conversationsEnded');
  // Series that are there from the start, so that the first of them is an increase, too.
  for (const reason of terminationReason.options) ended.inc({ reason }, 0);
  const nudges = registry.counter('nudges');
  for (const kind of loopKind.options) nudges.inc({ kind }, 0);
  const findings = registry.counter('guardFindings');
  const guardFound: Metrics['guardFound'] = (way, found) => {
    for (const { scanner, kind, action, count } of found) {
      // The names of another server's scanners are not ours to count by.
      const label = scanner === 'llm_guard' && action !== 'error' ? 'any' : kind;
      findings.inc({ scanner, kind: label, action, way }, count);
    }
  };
  const resumed = registry.counter('conversationsResumed');
  const queueWait = registry.histogram('queueWaitSeconds');
  const fallbacks = registry.counter('fallbacks');
  const lookUps = lookUpMeters(registry);
  const circuitChanges = registry.counter('circuitChanges');
  const appendSeconds = registry.histogram('appendSeconds');
  const appends = {
    sqlite: appendSeconds.labels({ backend: 'sqlite' }),
    redis: appendSeconds.labels({ backend: 'redis' }),
  };
  const refusals = registry.counter('storageRefusals');
  refusals.inc({ backend: sources.jobs ? 'redis' : 'sqlite' }, 0);
  const isShared = { circuit: true, rate_limit: true };
  if (sources.jobs) {
    registry.gauge('protectionShared', (gauge) => {
      for (const [kind, value] of Object.entries(isShared)) gauge.set({ kind }, value ? 1 : 0);
    });
  }
  const webhooks = registry.counter('webhookDeliveries');
  for (const outcome of WEBHOOK_OUTCOMES) webhooks.inc({ outcome }, 0);
  const webhookLag = registry.histogram('webhookLagSeconds');
  const requests = registry.counter('httpRequests');
  const requestSeconds = registry.histogram('httpRequestSeconds');
  const lines: Record<string, number> = { info: 0, warn: 0, error: 0, fatal: 0 };
  registry.counter('logLines', (counter) => {
    counter.reset();
    for (const [level, count] of Object.entries(lines)) counter.inc({ level }, count);
  });
  const { logLosses } = sources;
  registry.counter('logWriteErrors', (counter) => {
    counter.reset();
    counter.inc(logLosses.failedWrites);
  });
  registry.counter('logLinesLost', (counter) => {
    counter.reset();
    counter.inc(logLosses.lostLines);
  });

  return {
    async expose(accept = '') {
      return accept.includes('application/openmetrics-text')
        ? { contentType: OPENMETRICS_TEXT, body: await registry.openMetrics() }
        : { contentType: PROMETHEUS_TEXT, body: await registry.prometheus() };
    },
    observe(happening) {
      countCalls(happening);
      countVoices(happening);
      switch (happening.type) {
        case 'conversation.started':
          return queueWait.observe(happening.waitedMs / 1000);
        case 'conversation.resumed':
          return resumed.inc();
        case 'conversation.ended':
          return ended.inc({ reason: happening.ending.reason });
        case 'conversation.nudged':
          return nudges.inc({ kind: happening.event.kind });
        case 'guard.found':
          return guardFound('out', happening.found);
        case 'turn.fell_back': {
          const { from, to, why: reason } = happening;
          const from_provider = labelsOf(from.provider, from.model).provider;
          const to_provider = labelsOf(to.provider, to.model).provider;
          return fallbacks.inc({ from_provider, to_provider, reason });
        }
        case 'knowledge.looked_up':
          return lookUps(happening);
        default:
          return undefined;
      }
    },
    circuitChanged: ({ provider, model, to }) => circuitChanges.inc({ ...labelsOf(provider, model), to }),
    appended: (backend, milliseconds) => appends[backend].observe(milliseconds / 1000),
    storageRefused: (backend) => refusals.inc({ backend }),
    guardFound,
    protectionShared: (kind, value) => {
      isShared[kind] = value;
    },
    webhookTried(outcome, lagSeconds) {
      webhooks.inc({ outcome });
      if (lagSeconds !== undefined) webhookLag.observe(lagSeconds);
    },
    answered({ method, route = NO_ROUTE, status, seconds }) {
      const labels = { method, route, status: String(status) };
      requests.inc(labels);
      if (seconds !== undefined) requestSeconds.observe(labels, seconds);
    },
    logged(level) {
      lines[level] = (lines[level] ?? 0) + 1;
    },
    streams: streamTallies(registry),
  };
}

function registerGauges(registry: MetricRegistry, sources: MetricSources): void {
  const { activeConversations, queuedConversations, dailyCost, sqliteBytes, jobs } = sources;
  registry.gauge('build').set(sources.build, 1);
  registry.gauge('activeConversations', (gauge) => gauge.set(activeConversations()));
  registry.gauge('conversations', async (gauge) => {
    gauge.set({ status: 'running' }, activeConversations());
    if (queuedConversations) gauge.set({ status: 'queued' }, await queuedConversations());
  });
  if (dailyCost) {
    registry.gauge(
      'dailyCost',
      whileThere(dailyCost.committed, (gauge, usd) => {
        // Without labels, a reset would say 0.
        if (usd === undefined) gauge.remove();
        else gauge.set(usd);
      }),
    );
    registry.gauge('dailyCostLimit').set(dailyCost.limit);
  }
  if (sqliteBytes) {
    registry.gauge('sqliteBytes', (gauge) => {
      for (const [file, bytes] of Object.entries(sqliteBytes())) gauge.set({ file }, bytes);
    });
  }
  if (jobs) {
    registry.gauge(
      'jobs',
      whileThere(jobs, (gauge, depth) => {
        gauge.reset();
        for (const [state, count] of Object.entries(depth ?? {})) gauge.set({ state }, count);
      }),
    );
  }
}

/**
 * Reads what others keep. What can't be read soon is shown as undefined, and all the other metrics are there without
 * it; who hasn't answered yet isn't asked again.
 */
function whileThere<Shown, Value>(
  read: () => Promise<Value>,
  show: (gauge: Shown, value: Value | undefined) => void,
): (gauge: Shown) => Promise<void> {
  let reading: Promise<Value | undefined> | undefined;
  return async (gauge) => {
    reading ??= read()
      .catch(() => undefined)
      .finally(() => {
        reading = undefined;
      });
    const patience = new AbortController();
    const timer = delay(READ_WITHIN_MS, undefined, { signal: patience.signal }).catch(() => undefined);
    show(gauge, await Promise.race([reading, timer]));
    patience.abort();
  };
}

/** Of models that are counted as one, loads are added up, and the worst circuit is shown. */
function registerLanes(
  registry: MetricRegistry,
  labelsOf: ReturnType<typeof modelLabels>,
  lanes: MetricSources['lanes'],
): void {
  registry.gauge('laneCalls', (gauge) => {
    gauge.reset();
    for (const { provider, model, running, waiting } of lanes()) {
      const labels = labelsOf(provider, model);
      gauge.inc({ ...labels, state: 'running' }, running);
      gauge.inc({ ...labels, state: 'waiting' }, waiting);
    }
  });
  registry.gauge('lanePlaces', (gauge) => {
    gauge.reset();
    for (const { provider, model, places } of lanes()) gauge.inc(labelsOf(provider, model), places);
  });
  registry.gauge('circuitState', (gauge) => {
    gauge.reset();
    const worst = new Map<string, number>();
    for (const { provider, model, circuit } of lanes()) {
      const labels = labelsOf(provider, model);
      const key = `${labels.provider}/${labels.model}`;
      const value = Math.max(worst.get(key) ?? 0, CIRCUIT_VALUES[circuit]);
      worst.set(key, value);
      gauge.set(labels, value);
    }
  });
}
