import type { Machine } from './machine.ts';
import type { Figure, Report } from './measurement.ts';

/** What one measurement gave, and where and when; kept in `bench/results.json`. */
export interface Result {
  name: string;
  at: string;
  machine: Machine;
  report: Report;
}

const HEADINGS = ['what', 'ours', 'beside', 'ratio', 'asked', 'reached'] as const;

/** The table for a terminal. */
export function tableText(results: readonly Result[]): string {
  const rows = [[...HEADINGS], ...results.flatMap(({ report }) => report.figures.map(cells))];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return rows.map(line).join('\n');
}

/**
 * The whole page.
 *
 * @param remarks written by hand: where the time goes, and what would be needed for what was missed
 */
export function pageText(results: readonly Result[], remarks: string | undefined): string {
  const missed = results.flatMap(({ report }) =>
    report.figures.filter(({ required }) => required?.reached === false),
  );
  const lines = [
    '# Benchmarks',
    '',
    'Written by `npm run bench` from what it measured; the figures are not to be edited. What counts are the',
    'ratios: both sides of each were measured in the same run on the same machine.',
    '',
    '## The machine',
    '',
    ...machinesOf(results),
    '',
    '## How to run it',
    '',
    '```sh not run here',
    'npm ci --prefix bench/peers   # once: what it is measured beside',
    'npm run bench                 # all but scale and soak; it writes this page',
    'npm run bench -- turns alone  # only some; the page keeps the others',
    'npm run bench -- --quick      # short rounds, to see that it works; it writes nothing',
    'npm run bench -- scale soak --minutes 10',
    'npm run bench -- fanout --profile  # and where the time goes, by function',
    'npm run bench:micro           # the small parts',
    '```',
    '',
    '## The figures',
    '',
    `| ${HEADINGS.join(' | ')} |`,
    '|---|---:|---:|---:|---|---|',
    ...results.flatMap(({ report }) => report.figures.map((figure) => `| ${cells(figure).join(' | ')} |`)),
    '',
    '## What was missed',
    '',
    ...(missed.length === 0 ? ['Nothing of what is asked.'] : missed.map(missedLine)),
    ...(remarks === undefined ? [] : ['', remarks.trim()]),
    '',
    '## How each is measured',
    '',
    ...results.flatMap(({ name, at, report }) => [
      `- **${name}** (${at.slice(0, 16).replace('T', ' ')} UTC): ${report.method}`,
      ...report.notes.map((note) => `  - ${note}`),
    ]),
    '',
  ];
  return lines.join('\n');
}

function machinesOf(results: readonly Result[]): string[] {
  const machines = new Map<string, string[]>();
  for (const { name, machine } of results) {
    const { processor, cores, memory, system, node, sqlite } = machine;
    const described = `${processor}, ${cores} cores, ${memory}, ${system}, Node ${node}, SQLite ${sqlite}`;
    machines.set(described, [...(machines.get(described) ?? []), name]);
  }
  return [...machines].map(([described, names]) =>
    machines.size === 1 ? `${described}.` : `- ${described}: ${names.join(', ')}`,
  );
}

function missedLine({ what, unit, ours, beside, ratio, required }: Figure): string {
  const compared = beside && ratio !== null ? `, ${formatNumber(ratio)} × ${beside.what}` : '';
  return `- ${what}: ${formatNumber(ours)} ${unit}${compared}; asked is ${required?.text}.`;
}

function cells({ what, unit, ours, beside, ratio, required }: Figure): string[] {
  return [
    what,
    `${formatNumber(ours)} ${unit}`,
    beside ? `${formatNumber(beside.value)} (${beside.what})` : '',
    ratio === null ? '' : `${formatNumber(ratio)} ×`,
    required?.text ?? '',
    required ? (required.reached ? 'yes' : 'NO') : '',
  ];
}

function formatNumber(value: number): string {
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return Number(value.toPrecision(3)).toString();
}
