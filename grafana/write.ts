import { writeFileSync } from 'node:fs';
import { BOARDS, fileOf } from './boards.ts';

/** Writes the dashboards that Grafana reads. */
for (const board of BOARDS) {
  writeFileSync(new URL(`dashboards/${board.uid}.json`, import.meta.url), fileOf(board));
}
