import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';

type Appendfsync = 'always' | 'everysec';

/** A Redis or Valkey server of the measurement's own, with an append-only file. Undefined where there is none. */
export async function startRedis(
  cleanup: AsyncDisposableStack,
  folder: string,
  appendfsync: Appendfsync,
  more: Record<string, string> = {},
): Promise<string | undefined> {
  const program = ['redis-server', 'valkey-server'].find((name) => !spawnSync(name, ['--version']).error);
  if (program === undefined) return undefined;
  const port = await freePort();
  const dir = join(folder, `redis-${port}`);
  mkdirSync(dir);
  const settings = { port, bind: '127.0.0.1', dir, save: '', appendonly: 'yes', appendfsync, ...more };
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

/**
 * A cluster of so many masters; gives the address of each. It is made by the server's own program for that.
 *
 * @returns undefined where there is no Redis here
 */
export async function startCluster(
  cleanup: AsyncDisposableStack,
  folder: string,
  appendfsync: Appendfsync,
  size: number,
): Promise<string[] | undefined> {
  const urls: string[] = [];
  for (let index = 0; index < size; index++) {
    const settings = { 'cluster-enabled': 'yes', 'cluster-port': await freePort() };
    const url = await startRedis(cleanup, folder, appendfsync, settings);
    if (url === undefined) return undefined;
    urls.push(url);
  }
  const nodes = urls.map((url) => new URL(url).host);
  const program = ['redis-cli', 'valkey-cli'].find((name) => !spawnSync(name, ['--version']).error);
  execFileSync(program ?? 'redis-cli', ['--cluster', 'create', ...nodes, '--cluster-yes'], {
    stdio: 'ignore',
  });
  return urls;
}

async function freePort(): Promise<string> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const address = listener.address();
  listener.close();
  await once(listener, 'close');
  return String(typeof address === 'object' ? address?.port : 0);
}
