import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { generatedFiles } from './chart.ts';

/** Writes what of the chart follows from elsewhere: its schema, its page, its rules and its dashboards. */
for (const [path, text] of generatedFiles()) {
  const file = new URL(`../${path}`, import.meta.url).pathname;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
