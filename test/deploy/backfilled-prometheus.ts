import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { freePort } from '../fixtures/ports.ts';
import { findProgram } from '../fixtures/programs.ts';
import { temporaryFolder } from '../fixtures/server.ts';

/** Samples of a series, with their times in seconds since 1970. */
export interface Series {
  name: string;
  labels: Record<string, string>;
  samples: readonly (readonly [at: number, value: number])[];
}

/** Evaluates a query at each step; times in seconds since 1970, values by time. */
export type RangeQuery = (
  promql: string,
  from: number,
  to: number,
  step: number,
) => Promise<Map<number, number>>;

/** A real Prometheus that has these series already and asks nobody. It ends with the test. */
export async function startBackfilled(series: readonly Series[]): Promise<RangeQuery> {
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  mkdirSync(data);
  writeFileSync(join(folder, 'series.txt'), openMetrics(series));
  execFileSync(
    findProgram('promtool') ?? 'promtool',
    ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'series.txt'), data],
    {
      stdio: 'ignore',
    },
  );
  writeFileSync(join(folder, 'prometheus.yml'), '{}\n');
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    findProgram('prometheus') ?? 'prometheus',
    [
      // One that asks knows at the next scrape that a pod has gone; what is written afterwards has no mark of that.
      '--query.lookback-delta=10s',
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=${address}`,
    ],
    { stdio: 'ignore' },
  );
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  while (!(await fetch(`http://${address}/-/ready`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error('Prometheus ended at its start');
    await delay(50);
  }
  return async (promql, from, to, step) => {
    const parameters = new URLSearchParams({
      query: promql,
      start: String(from),
      end: String(to),
      step: String(step),
    });
    const answer = await fetch(`http://${address}/api/v1/query_range?${parameters.toString()}`);
    const { data: found, error } = (await answer.json()) as {
      data?: { result: { values: [number, string][] }[] };
      error?: string;
    };
    if (!found) throw new Error(`${error}: ${promql}`);
    if (found.result.length > 1)
      throw new Error(`${found.result.length} series where one is wanted: ${promql}`);
    return new Map((found.result[0]?.values ?? []).map(([at, value]) => [at, Number(value)]));
  };
}

/** https://github.com/prometheus/OpenMetrics: all samples of a metric stand together. */
function openMetrics(series: readonly Series[]): string {
  const names = [...new Set(series.map(({ name }) => name))];
  const lines = names.flatMap((name) => [
    `# TYPE ${name} gauge`,
    ...series
      .filter((each) => each.name === name)
      .flatMap(({ labels, samples }) => {
        const text = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
        return samples.map(([at, value]) => `${name}{${text.join(',')}} ${value} ${at}`);
      }),
  ]);
  return `${lines.join('\n')}\n# EOF\n`;
}
