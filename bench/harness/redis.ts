import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** A Redis or Valkey server of the measurement's own, with an append-only file. Undefined where there is none. */
export async function startRedis(
  cleanup: AsyncDisposableStack,
  folder: string,
  appendfsync: 'always' | 'everysec',
): Promise<string | undefined> {
  const program = ['redis-server', 'valkey-server'].find((name) => !spawnSync(name, ['--version']).error);
  if (program === undefined) return undefined;
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  const port = String(typeof address === 'object' ? address?.port : 0);
  listener.close();
  await once(listener, 'close');
  const dir = join(folder, `redis-${appendfsync}`);
  mkdirSync(dir);
  const settings = { port, bind: '127.0.0.1', dir, save: '', appendonly: 'yes', appendfsync };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(program, options, { stdio: 'ignore' });
  cleanup.defer(async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  client.on('error', () => {});
  while ((await client.ping().catch(() => '')) !== 'PONG');
  client.disconnect();
  return url;
}
