/** Builds the page into dist/page: by npm behind `npm ci`, or by the server where it is missing. */
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InlineConfig, Plugin } from 'vite';

const target = fileURLToPath(new URL('../../dist/page', import.meta.url));

/** marked is one file that makes a parser as it is read, and keeps all of it for that; the page has the lexer alone. */
const lexerAlone: Plugin = {
  name: 'lexer-alone',
  transform(code, id) {
    if (!id.endsWith('/marked.esm.js')) return undefined;
    const end = code.search(/var (\w+)=new \w+;function (\w+)\([^)]*\)\{return \1\.parse\(/);
    const [, lexer] = /(\w+) as Lexer\b/.exec(code) ?? [];
    // Of another version it stays as it is, and is larger.
    return end < 0 || lexer === undefined ? undefined : `${code.slice(0, end)}export{${lexer} as Lexer};`;
  },
};

const config: InlineConfig = {
  configFile: false,
  root: fileURLToPath(new URL('.', import.meta.url)),
  logLevel: 'warn',
  plugins: [lexerAlone],
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2023',
    // A policy that lets nothing inline through would stop what is put into the page.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    emptyOutDir: true,
    reportCompressedSize: false,
    manifest: 'manifest.json',
  },
};

// An installation for production leaves out what only builds.
const vite = await import('vite').catch(() => undefined);
if (vite) await buildPage(vite.build);
else console.error('The page is not built: this installation lacks the packages for it');

/** Beside its place and then into it, so that a server that runs never serves half of it. */
async function buildPage(build: (config: InlineConfig) => Promise<unknown>): Promise<void> {
  const fresh = `${target}-${process.pid}`;
  const outdated = `${fresh}-before`;
  await mkdir(dirname(target), { recursive: true });
  await build({ ...config, build: { ...config.build, outDir: fresh } });
  await rename(target, outdated).catch(() => {});
  // Whoever built it at the same moment built the same.
  await rename(fresh, target).catch(() => rm(fresh, { recursive: true }));
  await rm(outdated, { recursive: true, force: true });
}
