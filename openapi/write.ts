import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compose } from '../src/compose.ts';
import { readConfig } from '../src/config/config.ts';

/** Writes beside this file what a server that nothing is configured for gives at /openapi.json and /asyncapi.json. */
const folder = mkdtempSync(join(tmpdir(), 'openapi-'));
try {
  const config = readConfig({ DATA_DIR: folder, LOG_LEVEL: 'silent' }, join(folder, '.env'));
  const platform = await compose(config, { write: () => {} });
  for (const name of ['openapi.json', 'asyncapi.json']) {
    const { body } = await platform.app.inject(`/${name}`);
    const text = JSON.stringify(JSON.parse(body), null, 2);
    writeFileSync(new URL(name, import.meta.url), `${text}\n`);
  }
  await platform.close();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
