import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname;
const PEERS = new URL('../peers/', import.meta.url);
/** A process that was asked to end gets this long, in milliseconds. */
const END_WITHIN = 6000;
const READY_WITHIN = 60_000;

/** A process of `bench/process` that answers what it is asked. */
export interface Worker {
  ask<T>(verb: string, argument?: unknown): Promise<T>;
  /** Says something that nobody answers. */
  tell(verb: string, argument?: unknown): void;
}

interface Answer {
  id: number;
  value?: unknown;
  error?: string;
}

/** Starts `bench/process/NAME.ts`; it ends when this process does. */
export function startWorker(cleanup: AsyncDisposableStack, name: string): Worker {
  const child = fork(new URL(`../process/${name}.ts`, import.meta.url), {
    env: bareEnvironment(),
    execArgv: profiling(name),
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  child.on('message', ({ id, value, error }: Answer) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(value);
    else asked?.reject(new Error(`${name}: ${error}`));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`${name} ended with ${code}`));
    waiting.clear();
  });
  cleanup.defer(() => ended(child, () => child.connected && child.disconnect()));
  let count = 0;
  return {
    ask<T>(verb: string, argument?: unknown): Promise<T> {
      const id = ++count;
      const asked = Promise.withResolvers<unknown>();
      waiting.set(id, asked);
      child.send({ id, verb, argument });
      return asked.promise as Promise<T>;
    },
    tell: (verb, argument) => void child.send({ id: 0, verb, argument }),
  };
}

export interface Server {
  /** `http://127.0.0.1:PORT` */
  url: string;
  /** From the start of the process to the first 200 of /readyz, in milliseconds. */
  readyAfter: number;
  pid: number;
  stop(): Promise<void>;
}

/** Starts the server as a user does, with its log lines going nowhere. */
export async function startServer(
  cleanup: AsyncDisposableStack,
  folder: string,
  environment: Record<string, string> = {},
): Promise<Server> {
  const port = await freePort();
  const startedAt = performance.now();
  const child = spawn(process.execPath, [...profiling('server'), MAIN], {
    cwd: folder,
    env: { ...bareEnvironment(), DATA_DIR: folder, PORT: String(port), ...environment },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = (): Promise<void> => ended(child, () => child.kill('SIGTERM'));
  cleanup.defer(stop);
  const url = `http://127.0.0.1:${port}`;
  while ((await statusOf(`${url}/readyz`)) !== 200) {
    if (child.exitCode !== null || performance.now() - startedAt > READY_WITHIN) {
      throw new Error('the server does not get ready');
    }
    await delay(2);
  }
  return { url, readyAfter: performance.now() - startedAt, pid: child.pid ?? 0, stop };
}

/**
 * Runs a program of `bench/peers`, which prints its result as JSON. Undefined where the peers are not
 * installed.
 */
export async function runPeer<T>(
  cleanup: AsyncDisposableStack,
  name: string,
  parameters: readonly (string | number)[],
): Promise<T | undefined> {
  if (!existsSync(new URL('node_modules', PEERS))) return undefined;
  const child = spawn(process.execPath, [new URL(name, PEERS).pathname, ...parameters.map(String)], {
    env: bareEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  cleanup.defer(() => ended(child, () => child.kill('SIGTERM')));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  await once(child, 'close');
  return JSON.parse(output) as T;
}

/** What the page says where a peer is missing. */
export const PEERS_MISSING = 'The peers were not measured: `npm ci --prefix bench/peers` installs them.';

async function ended(child: ChildProcess, ask: () => unknown): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  ask();
  const timer = setTimeout(() => child.kill('SIGKILL'), END_WITHIN);
  await exit;
  clearTimeout(timer);
}

/** Without what would configure a server. */
function bareEnvironment(): Record<string, string> {
  const names = ['PATH', 'HOME', 'TMPDIR', 'LANG'];
  return Object.fromEntries(names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : [])));
}

let profiled = 0;

/** `BENCH_PROFILES=FOLDER` has every process but the peers leave a CPU profile there. */
function profiling(name: string): string[] {
  const folder = process.env['BENCH_PROFILES'];
  if (folder === undefined) return [];
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`, `--cpu-prof-name=${++profiled}-${name}.cpuprofile`];
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function statusOf(url: string): Promise<number | undefined> {
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  request(url, { agent: false }, (response) => {
    response.resume();
    resolve(response.statusCode);
  })
    .on('error', () => resolve(undefined))
    .end();
  return promise;
}
