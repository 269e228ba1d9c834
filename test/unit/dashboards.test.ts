import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { BOARDS, fileOf } from '../../grafana/boards.ts';
import { METRICS } from '../../src/observability/metric-names.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { DOCUMENTED_LINES } from '../fixtures/logs-document.ts';
import { findProgram } from '../fixtures/programs.ts';
import { ALERTS, RECORDED } from '../fixtures/rules.ts';

const GRAFANA = new URL('../../grafana/', import.meta.url);
const RUNBOOK = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');

const panels = BOARDS.flatMap(({ uid, rows }) =>
  Object.values(rows).flatMap((members) => members.map((panel) => ({ uid, ...panel }))),
);

/** The series that a query reads, as far as they are metrics or recorded. */
function seriesOf(expr: string): string[] {
  const bare = expr.replaceAll(/"[^"]*"/g, '');
  return Array.from(
    bare.matchAll(/\b(?:[a-z_]+:\w+:\w+|(?:ai|nodejs|process)_[a-z0-9_]+)\b/g),
    ([name]) => name,
  );
}

/** All names that a scrape may have. */
async function scrapedNames(): Promise<Set<string>> {
  const metrics = createMetrics({
    logLosses: { failedWrites: 0, lostLines: 0 },
    build: { version: '', node: '' },
    knownModels: [],
    activeConversations: () => 0,
    lanes: () => [],
  });
  const { body } = await metrics.expose();
  const described = [
    ...Array.from(body.matchAll(/^# TYPE (\S+) (\w+)$/gm), ([, name = '', type]) => ({ name, type })),
    ...Object.values(METRICS),
  ];
  return new Set(
    described.flatMap(({ name, type }) =>
      type === 'histogram' ? ['bucket', 'count', 'sum'].map((part) => `${name}_${part}`) : [name],
    ),
  );
}

function promtool(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(findProgram('promtool') ?? 'promtool', args, {
    cwd: GRAFANA,
    encoding: 'utf8',
  });
  return { status, output: stdout + stderr };
}

describe('the dashboards', () => {
  it('are the files that Grafana reads; `npm run dashboards` writes them', () => {
    const folder = new URL('dashboards/', GRAFANA);
    expect(readdirSync(folder).sort()).toEqual(BOARDS.map(({ uid }) => `${uid}.json`).sort());
    for (const board of BOARDS) {
      expect(readFileSync(new URL(`${board.uid}.json`, folder), 'utf8')).toBe(fileOf(board));
    }
  });

  it('have panels with a query each, and words on what to do', () => {
    const bad = panels.filter(
      ({ description, queries }) =>
        Object.keys(queries).length === 0 || !/^[A-Za-z0-9].{15,}\.$/.test(description),
    );
    expect(bad.map(({ uid, title }) => `${uid} / ${title}`)).toEqual([]);
    const places = panels.map(({ uid, title }) => `${uid} / ${title}`);
    expect(new Set(places).size).toBe(places.length);
  });

  it('name in their legends only labels that their queries leave', () => {
    for (const { uid, title, queries } of panels) {
      for (const [legend, query] of Object.entries(queries)) {
        for (const [, label = ''] of legend.matchAll(/\{\{(\w+)\}\}/g)) {
          const leaves =
            !/\b(?:sum|max|count)\b/.test(query) || new RegExp(`by \\([^)]*\\b${label}\\b`).test(query);
          expect(leaves, `${uid} / ${title}: ${label}`).toBe(true);
        }
      }
    }
  });

  it('are of one data source and of the instances that are chosen', () => {
    for (const { uid, title, queries } of panels) {
      for (const query of Object.values(queries)) {
        const isOfAll = /^sum\(up|ALERTS|instance:ai_storage:there/.test(query);
        expect(isOfAll || query.includes('instance=~"$instance"'), `${uid} / ${title}`).toBe(true);
      }
    }
    const sources = BOARDS.flatMap((board) => fileOf(board).match(/"uid": "(?!\$\{datasource\})[^"]+"/g));
    expect(sources).toEqual(BOARDS.map(({ uid }) => `"uid": "${uid}"`));
  });
});

describe('the metrics', () => {
  const shown = panels.flatMap(({ queries }) => Object.values(queries).flatMap(seriesOf));
  const used = [...shown, ...[...RECORDED, ...ALERTS].flatMap(({ expr }) => seriesOf(expr))];

  it.each(Object.values(METRICS))('7: $name is on a dashboard', ({ name }) => {
    const parts = [name, `${name}_bucket`, `${name}_count`, `${name}_sum`];
    expect(shown.some((series) => parts.includes(series))).toBe(true);
  });

  it('7: the dashboards and rules read none that is not there', async () => {
    const there = await scrapedNames();
    for (const { record } of RECORDED) there.add(record);
    expect(used.filter((series) => !there.has(series))).toEqual([]);
    expect(used.length).toBeGreaterThan(100);
  });

  it('what is recorded is used', () => {
    expect(RECORDED.map(({ record }) => record).filter((record) => !used.includes(record))).toEqual([]);
  });
});

describe('the alerts', () => {
  const sections = RUNBOOK.split(/^## /m).slice(1);
  const headings = sections.map((section) => section.slice(0, section.indexOf('\n')));

  it('and the sections of docs/runbook.md are the same', () => {
    expect(headings).toEqual(ALERTS.map(({ alert }) => alert));
  });

  it.each(ALERTS)('$alert has what whoever is called needs', ({ alert, expr, labels, annotations }) => {
    expect(labels.severity).toMatch(/^(?:critical|warning|info)$/);
    expect(annotations.summary).not.toMatch(/\.$/);
    expect(annotations.description).toMatch(/\.$/);
    expect(annotations.runbook_url).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    // All that is compared is recorded, so that it can be looked at by its name.
    for (const compared of expr.split(' and ')) expect(compared).toMatch(/^\w+:\w+:\w+ (?:[<>]=?|==) /);
    const section = sections.find((text) => text.startsWith(`${alert}\n`)) ?? '';
    expect(section).toMatch(/^\*\*What it means\.\*\* /m);
    expect(section).toMatch(/^\*\*How to see it\.\*\* /m);
    expect(section).toMatch(/^\*\*What to do\.\*\* /m);
    for (const series of seriesOf(expr)) expect(section, 'the recorded series').toContain(`\`${series}\``);
  });

  it('fire when they should and not otherwise, each in a case of its own', () => {
    const file = 'rules/tests/alerts.yml';
    const { tests } = parse(readFileSync(new URL(file, GRAFANA), 'utf8')) as { tests: { name: string }[] };
    const cases = ALERTS.flatMap(({ alert }) => [`${alert} fires`, `${alert} does not fire`]);
    expect(tests.map(({ name }) => name)).toEqual(cases);
    expect(promtool('test', 'rules', file)).toEqual({
      status: 0,
      output: expect.stringContaining('SUCCESS'),
    });
  });

  it('and what is recorded are rules as Prometheus takes them', () => {
    const { status, output } = promtool('check', 'rules', 'rules/recording.yml', 'rules/alerts.yml');
    expect({ status, output }).toEqual({
      status: 0,
      output: expect.stringContaining(`SUCCESS: ${ALERTS.length} rules found`),
    });
  });

  it('docs/runbook.md names panels and log lines that there are', () => {
    const titles = new Map(BOARDS.map(({ uid }) => [uid, panels.filter((panel) => panel.uid === uid)]));
    const named = [...RUNBOOK.matchAll(/\*([a-z]+) › ([^*]+)\*/g)];
    expect(named.length).toBeGreaterThanOrEqual(ALERTS.length - 2);
    const absent = named.filter(
      ([, uid = '', title]) => !titles.get(uid)?.some((panel) => panel.title === title),
    );
    expect(absent.map(([place]) => place)).toEqual([]);
    const events = Array.from(RUNBOOK.matchAll(/line `([a-z]+\.[a-z_]+)`/g), ([, event = '']) => event);
    expect(events.filter((event) => !DOCUMENTED_LINES.has(event))).toEqual([]);
  });
});
