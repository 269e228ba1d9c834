/** Runs the measurements, each as a process of its own, and writes docs/benchmarks.md from them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeMachine } from './harness/machine.ts';
import type { Options, Report } from './harness/measurement.ts';
import { pageText, type Result, tableText } from './harness/page.ts';
import { profilesText } from './harness/profiles.ts';

/** In the order of the page. */
const NAMES = [
  'turns',
  'alone',
  'growth',
  'alive',
  'fanout',
  'watchers',
  'create',
  'first-token',
  'resume',
  'start',
  'redis',
  'scale',
  'soak',
];
/** These run only where they are asked for by name. */
const LONG = ['scale', 'soak'];
const WITHIN_MS = 240_000;
/** For a measurement that was told to end, to end what it has started. */
const END_WITHIN_MS = 10_000;
const RESULTS = new URL('results.json', import.meta.url);
const REMARKS = new URL('remarks.md', import.meta.url);
const PAGE = new URL('../docs/benchmarks.md', import.meta.url);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '10' },
  },
});
const unknown = positionals.filter((name) => !NAMES.includes(name));
const minutes = Number(values.minutes);
if (unknown.length > 0 || !(minutes > 0)) {
  console.error(`There is ${NAMES.join(', ')}; --quick, --profile, --minutes NUMBER.`);
  process.exit(2);
}

const machine = describeMachine();
const wanted = positionals.length > 0 ? positionals : NAMES.filter((name) => !LONG.includes(name));
const results: Result[] = [];
let failed = false;
let stopped = false;
process.on('SIGTERM', () => {
  stopped = true;
});
process.on('SIGINT', () => {
  stopped = true;
});
for (const [index, name] of wanted.entries()) {
  console.error(`${index + 1} of ${wanted.length}: ${name}`);
  if (stopped) break;
  const report = await run(name);
  if (report) results.push({ name, at: new Date().toISOString(), machine, report });
  else failed = true;
}

console.log(tableText(results));
for (const { report } of results) for (const note of report.notes) console.log(`- ${note}`);
if (!values.quick && !values.profile && !stopped) {
  const kept = existsSync(RESULTS) ? (JSON.parse(readFileSync(RESULTS, 'utf8')) as Result[]) : [];
  const known = [...kept.filter(({ name }) => !results.some((result) => result.name === name)), ...results];
  known.sort((left, right) => NAMES.indexOf(left.name) - NAMES.indexOf(right.name));
  writeFileSync(RESULTS, `${JSON.stringify(known, undefined, 2)}\n`);
  writeFileSync(PAGE, pageText(known, existsSync(REMARKS) ? readFileSync(REMARKS, 'utf8') : undefined));
}
if (failed) process.exitCode = 1;

/** One measurement, in an empty folder and for a bounded time. Undefined where it failed. */
async function run(name: string): Promise<Report | undefined> {
  const folder = mkdtempSync(join(tmpdir(), `aic-bench-${name}-`));
  const profiles = mkdtempSync(join(tmpdir(), `aic-bench-profiles-`));
  const options: Options = { quick: values.quick, minutes, folder };
  const within = LONG.includes(name) ? WITHIN_MS + minutes * 60_000 : WITHIN_MS;
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [new URL(`measure/${name}.ts`, import.meta.url).pathname, JSON.stringify(options)],
    {
      env: { ...process.env, ...(values.profile ? { BENCH_PROFILES: profiles } : {}) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  const stop = (): void => void child.kill('SIGTERM');
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  let timer = setTimeout(() => {
    console.error(`  not done after ${within / 1000} s`);
    child.kill('SIGTERM');
    timer = setTimeout(() => child.kill('SIGKILL'), END_WITHIN_MS);
  }, within);
  try {
    const [code] = (await once(child, 'close')) as [number | null];
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
    console.error(code === 0 ? `  done in ${seconds} s` : `  failed after ${seconds} s`);
    if (values.profile) console.log(profilesText(profiles));
    return code === 0 ? (JSON.parse(output) as Report) : undefined;
  } finally {
    clearTimeout(timer);
    process.off('SIGTERM', stop);
    process.off('SIGINT', stop);
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    rmSync(profiles, { recursive: true, force: true, maxRetries: 5 });
  }
}
