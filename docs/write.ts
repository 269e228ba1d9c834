import { writeFileSync } from 'node:fs';
import { cliPage } from './cli-page.ts';
import { metricsPage } from './metrics-page.ts';

/** Writes the pages that are made from the source. */
writeFileSync(new URL('metrics.md', import.meta.url), metricsPage());
writeFileSync(new URL('cli.md', import.meta.url), cliPage());
