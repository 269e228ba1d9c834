import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

const LOGGER = new URL('../../src/observability/logger.ts', import.meta.url).href;

/** The one thread that writes has something else to do as the end comes. */
const PROGRAM = `
  import { pbkdf2 } from 'node:crypto';
  import { standardOutput } from ${JSON.stringify(LOGGER)};
  const output = await standardOutput(false);
  pbkdf2('a', 'b', 300_000, 64, 'sha512', () => {});
  output.write('x'.repeat(10_000) + '\\n');
  output.write('the last line\\n');
  await output.flush();
  process.exit(0);
`;

it('7: the last lines of a process are written, and in their order', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  expect(await text(child.stdout)).toBe(`${'x'.repeat(10_000)}\nthe last line\n`);
});

it('nobody who reads the last lines is not waited for', async () => {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = Promise.withResolvers<number | null>();
  child.on('exit', closed.resolve);
  child.stdout.destroy();
  expect(await closed.promise).toBe(0);
});
