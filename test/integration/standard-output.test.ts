import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it, onTestFinished } from 'vitest';
import { call } from '../fixtures/http.ts';
import { readSamples } from '../fixtures/metrics.ts';
import { freePort } from '../fixtures/ports.ts';
import { bareEnvironment, MAIN, temporaryFolder } from '../fixtures/server.ts';

const MODULE = new URL('../../src/observability/standard-output.ts', import.meta.url).href;

/** Runs a program over a standard output of its own. */
function run(program: string, output: 'pipe' | number, environment: NodeJS.ProcessEnv = {}): ChildProcess {
  const head = `import { standardOutput } from ${JSON.stringify(MODULE)};
    const output = await standardOutput(false);`;
  return spawn(process.execPath, ['--input-type=module', '--eval', head + program], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', output, 'pipe'],
  });
}

const read = (stream: Readable | null): Promise<string> => (stream ? text(stream) : Promise.resolve(''));

/** A file to which nothing can be written, as on a full disk: https://man7.org/linux/man-pages/man4/full.4.html */
function fullDisk(): number {
  const file = openSync('/dev/full', 'w');
  onTestFinished(() => closeSync(file));
  return file;
}

/** The one thread that writes has something else to do as the end comes. */
const BUSY = `
  import { pbkdf2 } from 'node:crypto';
  pbkdf2('a', 'b', 300_000, 64, 'sha512', () => {});
  output.write('x'.repeat(10_000) + '\\n');
  output.write('the last line\\n');
  await output.flush();
  process.exit(0);
`;

it('7: the last lines of a process are written, and in their order', async () => {
  const child = run(BUSY, 'pipe', { UV_THREADPOOL_SIZE: '1' });
  expect(await read(child.stdout)).toBe(`${'x'.repeat(10_000)}\nthe last line\n`);
});

it('7: also of one that ends without a word', async () => {
  const child = run(`output.write('the last line\\n'); process.exit(3);`, 'pipe');
  const [output, [code]] = await Promise.all([read(child.stdout), once(child, 'exit')]);
  expect([code, output]).toEqual([3, 'the last line\n']);
});

it('nobody who reads the last lines is not waited for', async () => {
  const child = run(BUSY, 'pipe');
  const closed = once(child, 'exit');
  child.stdout?.destroy();
  expect((await closed)[0]).toBe(0);
});

it('where nothing can be written, lines are lost and the process ends all the same', async () => {
  const program = `
    const LINE = 'x'.repeat(1000) + '\\n';
    for (let count = 0; count < 3000; count++) output.write(LINE);
    await output.flush();
    console.error(JSON.stringify(output.losses));
  `;
  const child = run(program, fullDisk());
  const [losses, [code]] = await Promise.all([read(child.stderr), once(child, 'exit')]);
  expect(code).toBe(0);
  const { failedWrites, lostLines } = JSON.parse(losses) as { failedWrites: number; lostLines: number };
  expect(failedWrites).toBeGreaterThanOrEqual(1);
  // 1 MiB waits for better times.
  expect(lostLines).toBe(3000 - Math.floor((1024 * 1024) / 1001));
});

it('more than a pipe holds is written as it is read, each line once', async () => {
  const program = `
    for (let count = 0; count < 1000; count++) output.write(String(count).padStart(900, '.') + '\\n');
    await output.flush();
  `;
  const child = run(program, 'pipe');
  const lines = (await read(child.stdout)).trimEnd().split('\n');
  expect(lines.map((line) => Number(line.replaceAll('.', '')))).toEqual(
    Array.from({ length: 1000 }, (_, i) => i),
  );
});

it('7: a server whose log can’t be written serves on, says so in a metric, and answers SIGTERM', async () => {
  const [folder, port] = [temporaryFolder(), await freePort()];
  const child = spawn(process.execPath, [MAIN], {
    cwd: folder,
    env: bareEnvironment({ DATA_DIR: folder, PORT: String(port) }),
    stdio: ['ignore', fullDisk(), 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const errors = read(child.stderr);
  const ready = () =>
    call(url, '/readyz').then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(ready).toBe(200);
  for (let count = 0; count < 20; count++) {
    const { status } = await call(url, '/conversations', { body: { topic: 'Is it?', maxTurns: 2 } });
    expect(status).toBe(201);
  }
  await expect
    .poll(async () => (await readSamples(url)).get('ai_log_write_errors_total'))
    .toBeGreaterThanOrEqual(2);
  expect((await readSamples(url)).get('ai_log_lines_lost_total')).toBe(0);
  child.kill('SIGTERM');
  expect((await once(child, 'exit'))[0]).toBe(0);
  expect(await errors).toBe('');
});
