import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { startTalk } from '../fixtures/talks.ts';
import { render } from './helm.ts';
import { workloadOf } from './pods.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const read = (path: string): unknown => parse(readFileSync(`${ROOT}${path}`, 'utf8'));

interface Collector {
  [kind: string]: Record<string, unknown>;
  receivers: { otlp: { protocols: { http: { endpoint: string } } } };
  service: Record<string, unknown> & {
    extensions: string[];
    pipelines: Record<string, { receivers: string[]; processors: string[]; exporters: string[] }>;
  };
}

interface FluentBit {
  parsers: { name: string; format: string; time_key: string; time_format: string }[];
  pipeline: {
    inputs: { path: string }[];
    filters: { name: string; parser?: string; wildcard?: string[]; nest_under?: string; regex?: string }[];
  };
}

interface Filebeat {
  'filebeat.autodiscover': {
    providers: {
      templates: { condition: { equals: Record<string, string> }; config: { parsers: object[] }[] }[];
    }[];
  };
  processors: { drop_event?: { 'when.not.has_fields': string[] } }[];
}

it('the collector has all that its pipelines name, uses all that it has, and listens where the chart sends', async () => {
  const collector = read('deploy/collector/otel-collector.yaml') as Collector;
  const pipelines = Object.values(collector.service.pipelines);
  expect(Object.keys(collector.service.pipelines)).toEqual(['traces', 'metrics']);
  for (const kind of ['receivers', 'processors', 'exporters'] as const) {
    const used = new Set(pipelines.flatMap((pipeline) => pipeline[kind]));
    expect([...used].sort()).toEqual(Object.keys(collector[kind] ?? {}).sort());
  }
  expect(collector.service.extensions).toEqual(Object.keys(collector['extensions'] ?? {}));
  // What there is no memory for is refused before anything else, and what is kept is batched at the end.
  for (const { processors } of pipelines) {
    expect(processors.at(0)).toBe('memory_limiter');
    expect(processors.at(-1)).toBe('batch');
  }
  const [, port] = collector.receivers.otlp.protocols.http.endpoint.split(':');
  const values = read('deploy/helm/values.yaml') as { networkPolicy: { collector: { ports: number[] } } };
  expect(values.networkPolicy.collector.ports.map(String)).toEqual([port]);
  expect(readFileSync(`${ROOT}docs/kubernetes.md`, 'utf8')).toContain(`otel-collector.observability:${port}`);
  const [server] = workloadOf(
    await render(
      '--set',
      `redis.url=redis://r:6379,tracing.endpoint=http://otel-collector.observability:${port}`,
    ),
  ).spec.template.spec.containers;
  expect(server.env).toContainEqual({
    name: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    value: `http://otel-collector.observability:${port}`,
  });
});

it('Fluent Bit and Filebeat read the lines that a server writes, in the container that the chart names', async () => {
  const { parsers, pipeline } = read('deploy/collector/fluent-bit.yaml') as FluentBit;
  const filebeat = read('deploy/collector/filebeat.yaml') as Filebeat;
  const server = await startServer({ DATA_DIR: temporaryFolder(), LOG_LEVEL: 'debug' });
  await startTalk(server.url, { maxTurns: 2 });
  await server.logged(({ event }) => event === 'conversation.ended');

  // Every field that docs/logs.md has, and no line that has another.
  const fields = readFileSync(`${ROOT}docs/logs.md`, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) => (line.split('|')[4] ?? '').split(','))
    .map((field) => field.trim())
    .filter((field) => field !== '');
  const nested = pipeline.filters.find(({ name }) => name === 'nest')?.wildcard ?? [];
  expect(new Set(nested)).toEqual(new Set(['level', 'logger', 'event', 'trace_id', 'span_id', ...fields]));
  const [parser] = parsers;
  expect(pipeline.filters.find(({ name }) => name === 'parser')?.parser).toBe(parser?.name);
  const form: Record<string, string> = {
    '%Y': '\\d{4}',
    '%m': '\\d\\d',
    '%d': '\\d\\d',
    '%H': '\\d\\d',
    '%M': '\\d\\d',
    '%S': '\\d\\d',
    '%L': '\\d{3}',
  };
  const time = new RegExp(
    `^${(parser?.time_format ?? '').replaceAll('.', '\\.').replaceAll(/%\w/g, (directive) => form[directive] ?? directive)}$`,
  );
  const required = filebeat.processors.flatMap((each) => each.drop_event?.['when.not.has_fields'] ?? []);
  expect(server.log.length).toBeGreaterThan(5);
  for (const line of server.log) {
    expect(parser?.format).toBe('json');
    expect(line[parser?.time_key ?? '']).toMatch(time);
    expect(
      Object.keys(line).filter((field) => field !== parser?.time_key && !nested.includes(field)),
    ).toEqual([]);
    for (const field of required) expect(Object.keys(line)).toContain(field.replace('app.', ''));
  }

  const workload = workloadOf(await render('--set', 'redis.url=redis://r:6379'));
  const [{ name }] = workload.spec.template.spec.containers;
  expect(pipeline.inputs[0]?.path).toBe(`/var/log/containers/*_${name}-*.log`);
  const own = workload.spec.template.metadata.labels['app.kubernetes.io/name'] ?? '';
  expect(pipeline.filters.find((filter) => filter.name === 'grep')?.regex).toContain(`^${own}$`);
  const [template] = filebeat['filebeat.autodiscover'].providers[0]?.templates ?? [];
  expect(Object.values(template?.condition.equals ?? {})).toEqual([own]);
});
