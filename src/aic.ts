#!/usr/bin/env node
/** The command line's process. */

import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';

const MINIMUM_NODE = 26;

if (Number.parseInt(process.versions.node, 10) < MINIMUM_NODE) startAnew();
else await run();

async function run(): Promise<void> {
  // An older Node, which gets no further than to the end of this file, doesn't have it.
  const { enableCompileCache } = await import('node:module');
  enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)));
  const { endWith, endWithReader } = await import('./cli/output.ts');
  const { runCommandLine } = await import('./cli/program.ts');
  const { default: packageJson } = await import('../package.json', { with: { type: 'json' } });
  endWithReader();
  let serving = false;
  const exitCode = await runCommandLine(process.argv.slice(2), {
    environment: process.env,
    version: packageJson.version,
    openLocal: async (use) => (await import('./local.ts')).openLocal(use),
    async *examine() {
      const { examine } = await import('./doctor/examine.ts');
      yield* examine(process.env);
    },
    async serve() {
      serving = true;
      await import('./main.ts');
    },
  });
  if (!serving) endWith(exitCode);
}

/** With the Node that the package brings along, where this one is too old for the server. */
function startAnew(): void {
  let node: string;
  try {
    node = createRequire(import.meta.url).resolve('node/bin/node');
  } catch {
    console.error(`aic needs Node ${MINIMUM_NODE} and runs on ${process.versions.node}`);
    process.exit(1);
  }
  const child = spawn(node, process.argv.slice(1), { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // The terminal has sent it to both already.
    process.on(signal, () => signal !== 'SIGINT' && child.kill(signal));
  }
  child.on('error', ({ message }) => {
    console.error(`aic needs Node ${MINIMUM_NODE} and runs on ${process.versions.node}: ${message}`);
    process.exit(1);
  });
  child.on('close', (code, signal) => process.exit(code ?? 128 + (signal ? constants.signals[signal] : 0)));
}
