import { writeFileSync } from 'node:fs';
import { metricsPage } from './metrics-page.ts';

/** Writes the pages that are made from the source. */
writeFileSync(new URL('metrics.md', import.meta.url), metricsPage());
