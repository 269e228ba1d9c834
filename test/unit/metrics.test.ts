import { describe, expect, it } from 'vitest';
import type { Happening } from '../../src/conversation/happenings.ts';
import { METRICS } from '../../src/observability/metric-names.ts';
import { createMetrics, type LaneLoad, type MetricSources } from '../../src/observability/metrics.ts';
import { HAPPENINGS } from '../fixtures/happenings.ts';

const TRACE = '0123456789abcdef0123456789abcdef';
const SOURCES: MetricSources = {
  build: { version: '1.2.3', node: 'v26.0.0' },
  knownModels: [
    ['claude', 'm'],
    ['claude', 'sonnet-5'],
    ['claude', 'sonnet-5-5'],
    ['chatgpt', 'n'],
  ],
  activeConversations: () => 7,
  queuedConversations: async () => 3,
  lanes: () => [],
  logLosses: { failedWrites: 3, lostLines: 5 },
};

async function exposed(
  times: number,
  sources: Partial<MetricSources> = {},
  happenings: readonly Happening[] = HAPPENINGS,
): Promise<string[]> {
  const metrics = createMetrics({ ...SOURCES, ...sources });
  for (let time = 0; time < times; time++) {
    for (const happening of happenings) metrics.observe(happening);
  }
  return (await metrics.expose()).body.split('\n');
}

describe('7: the metrics', () => {
  it.each([
    'ai_api_calls_total{provider="claude",model="m",status="success"} 2',
    'ai_api_calls_total{provider="claude",model="m",status="error"} 4',
    'ai_tokens_total{provider="claude",model="m",type="input"} 200',
    'ai_tokens_total{provider="claude",model="m",type="output"} 40',
    'ai_errors_total{provider="claude",error_type="rate_limited"} 2',
    'ai_errors_total{provider="claude",error_type="aborted"} 2',
    'ai_response_seconds_count{provider="claude",model="m"} 6',
    'ai_response_seconds_sum{provider="claude",model="m"} 4.5',
    'ai_active_conversations 7',
  ])('count each call: %s', async (line) => {
    expect(await exposed(2)).toContain(line);
  });

  it.each([
    'ai_turns_total{provider="claude",model="m"} 2',
    'ai_cost_usd_total{provider="claude",model="m"} 0.5',
    'ai_time_to_first_token_seconds_sum{provider="claude",model="m"} 0.2',
    'ai_output_tokens_per_second_sum{provider="claude",model="m"} 160',
    'ai_lane_wait_seconds_sum{provider="claude",model="m"} 0.06',
    'ai_retries_total{provider="claude",error_type="rate_limited"} 2',
    'ai_fallbacks_total{from_provider="claude",to_provider="chatgpt",reason="rate_limited"} 2',
    'ai_nudges_total{kind="gratitude"} 2',
    'ai_nudges_total{kind="alternation"} 0',
    'ai_speaker_choices_total{by="fallback"} 2',
    'ai_speaker_choices_total{by="moderator"} 0',
    'ai_ballots_total{result="invalid"} 2',
    'ai_outcomes_total{type="consensus",result="winner"} 2',
    'ai_outcomes_total{type="verdict",result="none"} 0',
    'ai_approvals_total{decision="edit"} 2',
    'ai_pauses_total{for="human"} 2',
    'ai_pause_seconds_sum{for="human"} 180',
    'ai_conversations_ended_total{reason="user"} 2',
    'ai_conversations_ended_total{reason="max_turns"} 0',
    'ai_conversations_resumed_total 2',
    'ai_queue_wait_seconds_sum 0.08',
    'ai_conversations{status="running"} 7',
    'ai_conversations{status="queued"} 3',
    'ai_build_info{version="1.2.3",node="v26.0.0"} 1',
    'ai_log_write_errors_total 3',
    'ai_log_lines_lost_total 5',
  ])('count what happens in conversations: %s', async (line) => {
    expect(await exposed(2)).toContain(line);
  });

  it('count a failure as a retry only where another try follows', async () => {
    const final = HAPPENINGS.map((happening) =>
      happening.type === 'attempt.failed' ? { ...happening, retryInMs: null } : happening,
    );
    expect((await exposed(1, {}, final)).join('\n')).not.toMatch(/ai_retries_total\{/);
  });

  it('time a turn from the end of the one before, and only while its run is known', async () => {
    const taken = HAPPENINGS.filter(({ type }) => type === 'turn.taken');
    const begun = HAPPENINGS.filter(({ type }) => type === 'conversation.started');
    const count = async (happenings: readonly Happening[]) =>
      (await exposed(1, {}, happenings)).find((line) => line.startsWith('ai_turn_seconds_count'));
    expect(await count(taken)).toBeUndefined();
    expect(await count([...begun, ...taken, ...taken])).toMatch(/ 2$/);
    const ended = HAPPENINGS.filter(({ type }) => type === 'conversation.ended');
    expect(await count([...begun, ...taken, ...ended, ...taken])).toMatch(/ 1$/);
  });

  it('have the agreed buckets', async () => {
    const buckets = (await exposed(1)).flatMap(
      (line) => /^ai_response_seconds_bucket\{le="(.+?)"/.exec(line)?.[1] ?? [],
    );
    expect(buckets).toEqual(['0.1', '0.5', '1', '2', '5', '10', '30', '60', '+Inf']);
  });

  it('are all there from the start, and no others: those of the table, and what belongs to another mode is not', async () => {
    const everywhere = await exposed(0);
    const all = await exposed(0, {
      dailyCost: { committed: async () => 1.5, limit: 10 },
      sqliteBytes: () => ({ database: 4096, wal: 0 }),
      jobs: async () => ({ waiting: 1, active: 2, delayed: 0 }),
    });
    const typesOf = (lines: string[]) => lines.filter((line) => line.startsWith('# TYPE ai_')).sort();
    const table: { name: string; type: string; onlyWith?: string }[] = Object.values(METRICS);
    const lineOf = ({ name, type }: { name: string; type: string }) => `# TYPE ${name} ${type}`;
    expect(typesOf(all)).toEqual(table.map(lineOf).sort());
    expect(typesOf(everywhere)).toEqual(
      table
        .filter(({ onlyWith }) => onlyWith === undefined)
        .map(lineOf)
        .sort(),
    );
    expect(all).toEqual(
      expect.arrayContaining([
        'ai_daily_cost_usd 1.5',
        'ai_daily_cost_limit_usd 10',
        'ai_sqlite_file_bytes{file="database"} 4096',
        'ai_queue_jobs{state="active"} 2',
        '# TYPE nodejs_eventloop_lag_seconds gauge',
        '# TYPE process_cpu_seconds_total counter',
      ]),
    );
  });

  it('are there without those that Redis keeps while it does not answer, and it is not asked again', async () => {
    const { promise, resolve } = Promise.withResolvers<{
      waiting: number;
      active: number;
      delayed: number;
    }>();
    let asked = 0;
    const jobs = () => {
      asked++;
      return promise;
    };
    const failing = { committed: () => Promise.reject(new Error('no connection')), limit: 10 };
    const metrics = createMetrics({ ...SOURCES, jobs, dailyCost: failing });
    for (let scrape = 0; scrape < 2; scrape++) {
      const { body } = await metrics.expose();
      expect(body).toContain('ai_active_conversations 7');
      expect(body).not.toContain('ai_queue_jobs{');
      expect(body).not.toMatch(/^ai_daily_cost_usd /m);
    }
    expect(asked).toBe(1);
    resolve({ waiting: 5, active: 0, delayed: 0 });
    expect((await metrics.expose()).body).toContain('ai_queue_jobs{state="waiting"} 5');
  });

  it('tell what is shared with the other instances', async () => {
    const metrics = createMetrics({ ...SOURCES, jobs: async () => ({ waiting: 0, active: 0, delayed: 0 }) });
    metrics.protectionShared('rate_limit', false);
    const lines = (await metrics.expose()).body.split('\n');
    expect(lines).toContain('ai_protection_shared{kind="circuit"} 1');
    expect(lines).toContain('ai_protection_shared{kind="rate_limit"} 0');
  });

  it('are of one process: two do not share them', async () => {
    await exposed(5);
    expect(await exposed(1)).toContain('ai_api_calls_total{provider="claude",model="m",status="success"} 1');
  });
});

describe('7: labels', () => {
  const spokenBy = (provider: string, model: string): Happening[] =>
    HAPPENINGS.map((happening) => {
      if ('attempt' in happening) {
        return { ...happening, attempt: { ...happening.attempt, provider, model } };
      }
      if (happening.type === 'call.charged') {
        return { ...happening, call: { ...happening.call, provider, model } };
      }
      if (happening.type !== 'turn.taken') return happening;
      const { event } = happening;
      const metadata = { ...event.message.metadata, provider, model };
      return { ...happening, event: { ...event, message: { ...event.message, metadata } } };
    });

  it.each([
    ['claude', 'sonnet-5', 'claude', 'sonnet-5'],
    ['claude', 'sonnet-5-20260101', 'claude', 'sonnet-5'],
    ['claude', 'sonnet-5-5-20260101', 'claude', 'sonnet-5-5'],
    ['claude', 'sonnet-55', 'claude', 'other'],
    ['claude', 'n', 'claude', 'other'],
    ['nobody', 'm', 'other', 'other'],
  ])('come from known names alone: %s %s is %s %s', async (provider, model, ...[asProvider, asModel]) => {
    const lines = await exposed(1, {}, spokenBy(provider, model));
    expect(lines).toContain(`ai_turns_total{provider="${asProvider}",model="${asModel}"} 1`);
    expect(lines).toContain(`ai_errors_total{provider="${asProvider}",error_type="aborted"} 1`);
  });

  it('do not grow with the names that users make up', async () => {
    const madeUp = Array.from({ length: 500 }, (_, number) => spokenBy('claude', `made-up-${number}`));
    const once = await exposed(1, {}, madeUp[0]);
    const often = await exposed(1, {}, madeUp.flat());
    expect(often.length).toBe(once.length);
  });

  it('of lanes add up what is counted as one, and show the worst circuit', async () => {
    const load = { provider: 'claude', running: 2, waiting: 1, places: 16 };
    const lanes: LaneLoad[] = [
      { ...load, model: 'made-up', circuit: 'open' },
      { ...load, model: 'made-up-too', circuit: 'half_open' },
      { ...load, model: 'm', circuit: 'closed' },
    ];
    let current = lanes;
    const metrics = createMetrics({ ...SOURCES, lanes: () => current });
    const { body } = await metrics.expose();
    expect(body.split('\n')).toEqual(
      expect.arrayContaining([
        'ai_lane_calls{provider="claude",model="other",state="running"} 4',
        'ai_lane_calls{provider="claude",model="other",state="waiting"} 2',
        'ai_lane_places{provider="claude",model="other"} 32',
        'ai_circuit_state{provider="claude",model="other"} 2',
        'ai_circuit_state{provider="claude",model="m"} 0',
      ]),
    );
    current = [];
    expect((await metrics.expose()).body).not.toMatch(/^ai_(lane_calls|lane_places|circuit_state)\{/m);
  });
});

describe('7: what the edges count', () => {
  it('is shown at the next reading', async () => {
    const metrics = createMetrics(SOURCES);
    metrics.circuitChanged({ provider: 'claude', model: 'm', to: 'open' });
    metrics.appended('sqlite', 2);
    metrics.answered({ method: 'GET', route: '/livez', status: 200, seconds: 0.002 });
    metrics.answered({ method: 'GET', route: undefined, status: 404, seconds: 0.002 });
    metrics.answered({ method: 'GET', route: '/events', status: 200, seconds: undefined });
    metrics.logged('warn');
    Object.assign(metrics.streams.websocket, { open: 2, sent: 30, droppedClosed: 1, resumes: 4 });
    Object.assign(metrics.streams.sse, { droppedTooSlow: 1, slowCloses: 1 });
    await metrics.expose();
    const lines = (await metrics.expose()).body.split('\n');
    expect(lines).toEqual(
      expect.arrayContaining([
        'ai_circuit_changes_total{provider="claude",model="m",to="open"} 1',
        'ai_append_seconds_count{backend="sqlite"} 1',
        'ai_append_seconds_sum{backend="sqlite"} 0.002',
        'ai_http_requests_total{method="GET",route="/livez",status="200"} 1',
        'ai_http_requests_total{method="GET",route="none",status="404"} 1',
        'ai_http_requests_total{method="GET",route="/events",status="200"} 1',
        'ai_http_request_seconds_count{method="GET",route="/livez",status="200"} 1',
        'ai_log_lines_total{level="warn"} 1',
        'ai_log_lines_total{level="error"} 0',
        'ai_stream_clients{transport="websocket"} 2',
        'ai_stream_frames_sent_total{transport="websocket"} 30',
        'ai_stream_frames_dropped_total{transport="websocket",reason="closed"} 1',
        'ai_stream_frames_dropped_total{transport="sse",reason="too_slow"} 1',
        'ai_stream_resumes_total{transport="websocket"} 4',
        'ai_stream_slow_closes_total{transport="sse"} 1',
      ]),
    );
    expect(lines.join('\n')).not.toMatch(/ai_http_request_seconds_count\{.*events/);
  });
});

describe('7: the format', () => {
  const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

  it('is OpenMetrics, with traces as exemplars, where it is asked for, and else the text of Prometheus', async () => {
    const metrics = createMetrics({ ...SOURCES, traceIdOf: () => TRACE });
    for (const happening of HAPPENINGS) {
      if (happening.type !== 'attempt.abandoned') metrics.observe(happening);
    }
    const ask = `${OPENMETRICS};q=0.5,text/plain;version=0.0.4;q=0.2`;
    for (const turn of [1, 2]) {
      const open = await metrics.expose(ask);
      expect(open.contentType, `round ${turn}`).toBe(OPENMETRICS);
      expect(open.body).toMatch(/^ai_turns_total\{provider="claude",model="m"\} 1$/m);
      expect(open.body).toMatch(/^# TYPE ai_turns counter$/m);
      expect(open.body).toMatch(/# EOF\n$/);
      for (const name of ['ai_response_seconds', 'ai_turn_seconds', 'ai_time_to_first_token_seconds']) {
        expect(open.body).toMatch(
          new RegExp(`^${name}_bucket\\{.+\\} \\d # \\{trace_id="${TRACE}"\\} [\\d.e-]+ [\\d.]+$`, 'm'),
        );
      }
      const text = await metrics.expose('text/plain');
      expect(text.contentType).toBe('text/plain; version=0.0.4; charset=utf-8');
      expect(text.body).not.toMatch(/trace_id|EOF/);
      expect(text.body).toMatch(/^# HELP ai_turns_total .+\n# TYPE ai_turns_total counter$/m);
    }
  });
});
