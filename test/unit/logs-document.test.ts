import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { createJournal } from '../../src/observability/journal.ts';
import { createLogger, prettifier } from '../../src/observability/logger.ts';
import { HAPPENINGS } from '../fixtures/happenings.ts';
import { DOCUMENTED_LINES } from '../fixtures/logs-document.ts';

const SOURCE = new URL('../../src/', import.meta.url).pathname;

/** Every line that the source writes: its level and the event, which is the last argument. */
const written = globSync('**/*.ts', { cwd: SOURCE }).flatMap((path) => {
  const source = readFileSync(SOURCE + path, 'utf8');
  const calls = source.matchAll(
    /\b\w*[lL]og(?:ger)?\.(trace|debug|info|warn|error|fatal)\(([^;]*?)\s*'([^']*)',?\s*\)[;,]/g,
  );
  return Array.from(calls, ([, level, , event]) => `${event} ${level}`);
});

it('7: docs/logs.md has every line that the source writes, and no others', () => {
  const documented = [...DOCUMENTED_LINES].map(([event, { level }]) => `${event} ${level}`);
  expect([...new Set(written), 'http.listening info'].sort()).toEqual(documented.sort());
  expect(new Set(documented).size).toBe(DOCUMENTED_LINES.size);
});

it('7: no line is written past that search', () => {
  const sources = globSync('**/*.ts', { cwd: SOURCE }).map((path) => readFileSync(SOURCE + path, 'utf8'));
  const calls = sources.flatMap((source) =>
    Array.from(source.matchAll(/\b\w*[lL]og(?:ger)?\.(?:trace|debug|info|warn|error|fatal)\(/g)),
  );
  expect(calls).toHaveLength(written.length);
});

it('7: the journal writes each line with the fields that docs/logs.md names', () => {
  const lines: Record<string, unknown>[] = [];
  const sink = { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) };
  const journal = createJournal(createLogger('trace', (text) => text, sink));
  for (const happening of HAPPENINGS) journal(happening);
  expect(lines).toHaveLength(HAPPENINGS.length);
  for (const { timestamp: _, level, logger, event, ...fields } of lines) {
    const documented = DOCUMENTED_LINES.get(String(event));
    expect({ level, logger, fields: Object.keys(fields).sort() }, `the fields of ${String(event)}`).toEqual({
      ...documented,
      fields: documented?.fields.toSorted(),
    });
  }
});

it('7: in a terminal a line is text for people, with the same fields', async () => {
  const lines: string[] = [];
  const logger = createLogger('info', (text) => text, { write: (line) => void lines.push(line) });
  const fault = new Error('no space left');
  logger.child({ logger: 'main' }).info({ port: 8080 }, 'server.listening');
  logger.child({ logger: 'main' }).error({ error: fault }, 'server.stop_failed');
  const pretty = await prettifier();
  const [first = '', second = ''] = lines.map(pretty);
  expect(first).toMatch(/INFO.*main: server\.listening.*"port":8080.*\n$/);
  expect(second).toMatch(/ERROR.*main: server\.stop_failed/);
  expect(second).toContain('no space left');
  expect(first).not.toContain('"event"');
});
