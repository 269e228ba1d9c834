/**
 * Compiles what is published into dist/, file for file: Node takes no types off below node_modules. The server and the
 * command line as JavaScript, and with types what others import.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const source = join(root, 'src');
const target = join(root, 'dist');
const require = createRequire(import.meta.url);
const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');

// The page is built there, too, by itself.
for (const name of globSync('*', { cwd: target })) {
  if (name !== 'page') rmSync(join(target, name), { recursive: true });
}
for (const project of ['tsconfig.json', 'tsconfig.types.json']) {
  const { status } = spawnSync(process.execPath, [compiler, '-p', join(root, 'package', project)], {
    stdio: 'inherit',
  });
  if (status !== 0) process.exit(status ?? 1);
}
// The compiler changes the endings of imports in JavaScript alone.
for (const name of globSync('**/*.d.ts', { cwd: target })) {
  const file = join(target, name);
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll(/(['"]\.{1,2}\/[^'"\n]+)\.ts(['"])/g, '$1.js$2'));
}
for (const file of globSync('**/*.{sql,lua}', { cwd: source }))
  cpSync(join(source, file), join(target, file));
chmodSync(join(target, 'aic.js'), 0o755);
