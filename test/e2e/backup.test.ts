import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { bareEnvironment, startServer, temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const DOCUMENT = readFileSync(`${ROOT}docs/going-to-production.md`, 'utf8');

it('3.2: the line that operators are given makes a whole backup while the server writes', async () => {
  const [, line = ''] = /```sh\n([^`]*VACUUM INTO[^`]*)\n```/.exec(DOCUMENT) ?? [];
  const [folder, target] = [temporaryFolder(), temporaryFolder()];
  const server = await startServer({ DATA_DIR: folder, EMBEDDED_TOKEN_DELAY_MS: '1' });
  const { id } = await startTalk(server.url, { maxTurns: 5 });
  expect(await (await watchSocket(server.url, id)).closed).toBe(1000);
  const { id: running } = await startTalk(server.url, { maxTurns: 10_000 });
  const watcher = await watchSocket(server.url, running);
  await watcher.until((frame) => frame.type === 'message' && frame.message.turn === 3);

  const backup = join(target, 'backup.sqlite');
  const here = line
    .replace('data/conversations.sqlite', join(folder, 'conversations.sqlite'))
    .replace('backup.sqlite', backup);
  execFileSync('bash', ['-c', here], { cwd: ROOT, env: bareEnvironment(), stdio: 'ignore' });

  const restored = temporaryFolder();
  copyFileSync(backup, join(restored, 'conversations.sqlite'));
  // The conversation that had not ended goes on there, too; slowly, so that the copy can be looked at.
  const second = await startServer({ DATA_DIR: restored, EMBEDDED_TOKEN_DELAY_MS: '60000' });
  expect(await readLog(second.url, id)).toEqual(await readLog(server.url, id));
  const copied = await readLog(second.url, running);
  expect(copied.length).toBeGreaterThanOrEqual(5);
  expect((await readLog(server.url, running)).slice(0, copied.length)).toEqual(copied);
});
