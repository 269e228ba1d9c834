import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../src/config/config.ts';
import { keyFile, keyOf } from '../fixtures/keys.ts';
import { findProgram } from '../fixtures/programs.ts';
import { startRedis } from '../fixtures/redis.ts';
import { temporaryFolder } from '../fixtures/server.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const INSTANCES = ['app', 'app-2', 'app-3'];
/** What reaches the server beside its own variables: OpenTelemetry reads them itself. */
const OTHERS = /^OTEL_[A-Z_]+$/;

interface Service {
  image?: string;
  build?: string;
  profiles?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  command?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  restart?: string;
  read_only?: boolean;
  stop_grace_period?: string;
}

const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const compose = parse(text('docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
};
const services = Object.entries(compose.services);
const profileOf = ({ profiles = [] }: Service): string | undefined => profiles[0];

it('docker-compose.yml is what the Compose Specification takes', () => {
  const { $schema: _, ...schema } = JSON.parse(text('test/fixtures/schemas/compose-spec.json'));
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  // Compose's own formats; their values are looked at below and by Compose.
  for (const format of ['expose', 'ports', 'subnet_ip_address']) ajv.addFormat(format, true);
  const isValid = ajv.compile(schema);
  isValid(compose);
  expect(isValid.errors).toBeNull();
  expect(isValid({ services: { app: { image: 'x', prots: [] } } })).toBe(false);
});

it('each profile has the services that it promises, and none needs one of another', () => {
  const byProfile = Map.groupBy(services, ([, service]) => profileOf(service));
  const names = [...byProfile].map(([profile, members]) => [profile, members.map(([name]) => name).sort()]);
  expect(Object.fromEntries(names)).toEqual({
    undefined: ['app', 'grafana', 'jaeger', 'keys', 'prometheus', 'redis'],
    scale: ['app-2', 'app-3', 'nginx'],
    logs: ['elasticsearch', 'filebeat', 'kibana'],
    guard: ['llm-guard'],
  });
  for (const [name, service] of services) {
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = compose.services[needed];
      const isChecked =
        condition !== 'service_healthy' ||
        other?.healthcheck !== undefined ||
        (other?.build !== undefined && /^HEALTHCHECK /m.test(text('Dockerfile')));
      expect({ name, needed, isThere: other !== undefined, isChecked }).toMatchObject({
        isThere: true,
        isChecked: true,
      });
      expect([undefined, profileOf(service)]).toContain(profileOf(other ?? {}));
    }
  }
});

it('every port is open to the loopback address alone, and taken once', () => {
  const ports = services.flatMap(([, { ports = [] }]) => ports);
  for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  const published = ports.map((port) => port.split(':')[1]);
  expect(new Set(published).size).toBe(published.length);
  expect(compose.services['redis']?.ports).toBeUndefined();
});

it('every file that is mounted is there, and every volume is declared and used', () => {
  const used = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')));
  for (const [source = '', , mode] of used) {
    if (!source.startsWith('.')) continue;
    expect({ source, mode, isThere: existsSync(join(ROOT, source)) }).toMatchObject({
      mode: 'ro',
      isThere: true,
    });
  }
  const named = used.map(([source = '']) => source).filter((source) => /^\w/.test(source));
  expect([...new Set(named)].sort()).toEqual(Object.keys(compose.volumes).sort());
});

it('every image is pinned, and every service comes back', () => {
  // It ends as soon as the keys are there.
  const { keys, ...others } = compose.services;
  expect(keys).toMatchObject({ restart: 'no', command: ['node', 'src/aic.ts', 'keys', 'init', '/keys'] });
  for (const [name, { image = '', build, restart }] of Object.entries(others)) {
    const isPinned = build !== undefined || /:v?\d+\.\d+[\w.-]*$/.test(image);
    expect({ name, isPinned, restart }).toEqual({ name, isPinned: true, restart: 'unless-stopped' });
  }
  const { FROM } = Object.groupBy(text('Dockerfile').split('\n'), (line) => line.split(' ')[0] ?? '');
  for (const line of FROM ?? []) expect(line).toMatch(/^FROM node:26\.\d+-slim( AS \w+)?$/);
});

it('6: the instances are alike, share the Redis, and their environment is what the server takes', () => {
  const known = new Set(
    [...text('src/config/config.ts').matchAll(/^ {2}([A-Z][A-Z_]+): /gm)].map(([, name]) => name),
  );
  for (const name of INSTANCES) {
    const { environment = {}, read_only, stop_grace_period } = compose.services[name] ?? {};
    expect({ name, read_only, stop_grace_period }).toEqual({
      name,
      read_only: true,
      stop_grace_period: '10s',
    });
    // Where `.env` has nothing more.
    const { REDIS_URL, API_KEYS_FILE, ...others } = Object.fromEntries(
      Object.entries(environment).map(([variable, value]) => [
        variable,
        value.replace('${ALLOWED_HOSTS:-}', ''),
      ]),
    );
    expect(REDIS_URL).toBe('redis://redis:6379');
    expect(Object.keys(others).filter((name) => !known.has(name) && !OTHERS.test(name))).toEqual([]);
    expect(API_KEYS_FILE).toBe('/keys/api-keys.json');
    const { path } = keyFile(keyOf('default', 'admin', ['admin']));
    expect(readConfig({ ...others, API_KEYS_FILE: path }, '/nonexistent/.env')).toMatchObject({
      HOST: '0.0.0.0',
      PORT: 8080,
      // 8.1: the names by which they are asked.
      ALLOWED_HOSTS: INSTANCES,
    });
    const [app] = INSTANCES.map((instance) => compose.services[instance]);
    expect(environment).toEqual(app?.environment);
  }
});

it('what the others ask of the instances is where they are', () => {
  const addresses = (path: string): string[] => text(path).match(/\bapp(-\d)?:8080\b/g) ?? [];
  expect(addresses('deploy/nginx.conf')).toEqual(INSTANCES.map((name) => `${name}:8080`));
  const { scrape_configs: jobs } = parse(text('prometheus.yml')) as {
    scrape_configs: {
      static_configs: { targets: string[] }[];
      dns_sd_configs?: { names: string[]; port: number }[];
      relabel_configs?: { source_labels: string[]; replacement: string; target_label: string }[];
    }[];
  };
  const [job] = jobs;
  const scraped = [
    ...(job?.static_configs.flatMap(({ targets }) => targets) ?? []),
    ...(job?.dns_sd_configs?.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`)) ?? []),
  ];
  expect(scraped).toEqual(INSTANCES.map((name) => `${name}:8080`));
  // 8.1: by the name, which the instance knows, also where the address was looked up.
  expect(job?.relabel_configs).toMatchObject([
    { source_labels: ['__meta_dns_name'], replacement: '$1:8080', target_label: '__address__' },
  ]);
});

it('Prometheus takes its configuration, with the rules that are there', () => {
  const program = findProgram('promtool') ?? 'promtool';
  // The key is made by the first start; its file is looked for.
  const key = '/keys/metrics-key';
  const folder = temporaryFolder();
  expect(compose.services['prometheus']?.volumes).toContain('keys:/keys:ro');
  expect(text('prometheus.yml')).toContain(`credentials_file: ${key}`);
  cpSync(join(ROOT, 'grafana'), join(folder, 'grafana'), { recursive: true });
  writeFileSync(join(folder, 'metrics-key'), 'aic_key');
  const file = join(folder, 'prometheus.yml');
  writeFileSync(file, text('prometheus.yml').replace(key, 'metrics-key'));
  const { status, stdout, stderr } = spawnSync(program, ['check', 'config', file], {
    encoding: 'utf8',
  });
  expect({ status, output: stdout + stderr }).toEqual({
    status: 0,
    output: expect.stringContaining('SUCCESS'),
  });
  // The rules' path is relative to the file, in the container as well.
  const mounts = compose.services['prometheus']?.volumes ?? [];
  expect(mounts).toContain('./grafana:/etc/prometheus/grafana:ro');
  expect(mounts).toContain('./prometheus.yml:/etc/prometheus/prometheus.yml:ro');
  expect(compose.services['prometheus']?.command).toContain('--enable-feature=exemplar-storage');
});

it('3.2: Redis takes its configuration, and writes to disk before it answers', async () => {
  const given = text('deploy/redis.conf')
    .split('\n')
    .filter((line) => /^\w/.test(line))
    .map((line): [string, string] => [line.split(' ')[0] ?? '', line.slice(line.indexOf(' ') + 1)]);
  const { dir, bind, 'protected-mode': _, ...settings } = Object.fromEntries(given);
  expect({ dir, bind }).toEqual({ dir: '/data', bind: '* -::*' });
  const quoted = Object.entries(settings).map(([name, value]): [string, string] => [
    name,
    value === '""' ? '' : value,
  ]);
  const server = await startRedis(Object.fromEntries(quoted));
  onTestFinished(() => server.stop());
  const client = new Redis(server.url);
  onTestFinished(() => client.disconnect());
  const inForce: Record<string, string> = {};
  for (const [name] of quoted) inForce[name] = (await client.config('GET', name))[1] ?? '';
  expect(inForce).toMatchObject({
    appendonly: 'yes',
    appendfsync: 'always',
    'no-appendfsync-on-rewrite': 'no',
    'maxmemory-policy': 'noeviction',
    maxmemory: String(1024 ** 3),
    save: '',
  });
});

it('Filebeat takes the lines of the instances where Docker puts them', () => {
  const { 'filebeat.inputs': inputs, processors } = parse(text('deploy/filebeat.yml')) as {
    'filebeat.inputs': { paths: string[] }[];
    processors: { drop_event?: { 'when.not.has_fields': string[] } }[];
  };
  expect(inputs[0]?.paths).toEqual(['/var/lib/docker/containers/*/*-json.log']);
  expect(compose.services['filebeat']?.volumes).toContain(
    '/var/lib/docker/containers:/var/lib/docker/containers:ro',
  );
  // Section 7 of the protocol: what every line has.
  const fields = ['timestamp', 'level', 'logger', 'event'];
  expect(processors[0]?.drop_event).toEqual({ 'when.not.has_fields': fields.map((name) => `app.${name}`) });
});
