import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { validate } from 'dockerfile-utils';
import { expect, it, onTestFinished } from 'vitest';
import { NOBODY } from '../fixtures/balancer.ts';
import { freePort } from '../fixtures/ports.ts';
import { temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const isRoot = process.getuid?.() === 0;

const DOCKERFILE = readFileSync(`${ROOT}Dockerfile`, 'utf8');

/** The instructions, with continued lines joined, in order. */
const INSTRUCTIONS = DOCKERFILE.replaceAll(/^#.*\n/gm, '')
  .replaceAll(/\\\n\s*/g, '')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => ({ name: line.slice(0, line.indexOf(' ')), rest: line.slice(line.indexOf(' ') + 1) }));

function all(name: string): string[] {
  return INSTRUCTIONS.flatMap((instruction) => (instruction.name === name ? [instruction.rest] : []));
}

/** A command in JSON; of HEALTHCHECK, what follows its options. */
function commandOf(name: string): [string, ...string[]] {
  const [rest = ''] = all(name);
  return JSON.parse(rest.slice(rest.indexOf('['))) as [string, ...string[]];
}

it('the Dockerfile is in order, says a linter', () => {
  expect(validate(DOCKERFILE)).toEqual([]);
  expect(validate(DOCKERFILE.replace('--retries=', '--tries='))).toHaveLength(1);
});

it('the image runs nothing as root, is told to stop by SIGTERM, and has what is said of it', () => {
  expect(all('USER')).toEqual(['1000:1000']);
  expect(INSTRUCTIONS.findLastIndex(({ name }) => name === 'RUN')).toBeLessThan(
    INSTRUCTIONS.findIndex(({ name }) => name === 'USER'),
  );
  expect(all('STOPSIGNAL')).toEqual(['SIGTERM']);
  expect(all('VOLUME')).toEqual(['/data']);
  expect(all('LABEL').join(' ')).toContain('org.opencontainers.image.licenses="MIT"');
  // What a build is sent is what is copied: no key, no data.
  const sent = readFileSync(`${ROOT}.dockerignore`, 'utf8').match(/^[^#\n].*$/gm) ?? [];
  const copied = all('COPY').flatMap((rest) =>
    rest.startsWith('--from') ? [] : rest.split(' ').slice(0, -1),
  );
  expect(sent[0]).toBe('*');
  expect(sent.slice(1).sort()).toEqual([...new Set(copied)].map((name) => `!${name}`).sort());
});

it('6: the steps of the Dockerfile, by hand: the server runs without rights, is healthy, and ends with 0', async () => {
  const folder = temporaryFolder();
  const [app, data, bin] = ['app', 'data', 'bin'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const path of [app, data, bin]) mkdirSync(path);
  for (const rest of all('COPY').filter((rest) => !rest.startsWith('--from'))) {
    for (const name of rest.split(' ').slice(0, -1)) {
      cpSync(join(ROOT, name), join(app, basename(name)), { recursive: true });
    }
  }
  const [install = ''] = all('RUN').map((rest) => rest.replace(/^--mount=\S+\s+/, ''));
  expect(install).toMatch(/^npm ci --omit=dev /);
  // What it does after that leaves the binaries for Linux alone.
  const command = process.platform === 'linux' ? install : (install.split(' && ')[0] ?? '');
  execFileSync('sh', ['-ec', command], {
    cwd: app,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, npm_config_prefer_offline: 'true', npm_config_loglevel: 'error' },
  });
  for (const name of ['vitest', 'typescript', 'node', '@biomejs']) {
    expect({ name, isThere: existsSync(join(app, 'node_modules', name)) }).toEqual({ name, isThere: false });
  }

  // Whoever it runs as may write to /data, and need not be able to read where this Node lies.
  copyFileSync(process.execPath, join(bin, 'node'), constants.COPYFILE_FICLONE);
  chmodSync(join(bin, 'node'), 0o755);
  if (isRoot) chownSync(data, NOBODY, NOBODY);
  chmodSync(folder, 0o755);
  chmodSync(app, 0o555);
  onTestFinished(() => chmodSync(app, 0o755));

  const port = await freePort();
  const variables = Object.fromEntries(
    all('ENV').flatMap((rest) => rest.split(' ').map((pair) => pair.split('=') as [string, string])),
  );
  expect(variables).toEqual({ NODE_ENV: 'production', HOST: '0.0.0.0', PORT: '8080', DATA_DIR: '/data' });
  const run = ([program, ...given]: readonly [string, ...string[]]): ChildProcess =>
    spawn(join(bin, program), given, {
      cwd: app,
      // The tests listen on the loopback address alone.
      env: { ...variables, HOST: '127.0.0.1', PORT: String(port), DATA_DIR: data, PATH: bin },
      stdio: ['ignore', 'pipe', 'inherit'],
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    });
  const exitOf = async (child: ChildProcess): Promise<number> => {
    child.stdout?.resume();
    const [code] = (await once(child, 'exit')) as [number];
    return code;
  };

  expect(await exitOf(run(commandOf('HEALTHCHECK')))).toBe(1);
  const server = run(commandOf('CMD'));
  onTestFinished(() => void server.kill('SIGKILL'));
  const listening = Promise.withResolvers<void>();
  server.stdout?.on('data', (chunk: Buffer) => {
    if (chunk.includes('server.listening')) listening.resolve();
  });
  const ended = once(server, 'exit');
  await Promise.race([
    listening.promise,
    ended.then(([code]) => Promise.reject(new Error(`the server ended with ${code}`))),
  ]);
  expect(await exitOf(run(commandOf('HEALTHCHECK')))).toBe(0);

  const url = `http://127.0.0.1:${port}`;
  const { id } = await startTalk(url, { maxTurns: 2 });
  expect(await (await watchSocket(url, id)).closed).toBe(1000);
  expect(await readLog(url, id)).toHaveLength(5);
  for (const path of ['/docs/', '/openapi.json', '/metrics']) {
    const { status } = await fetch(`${url}${path}`);
    expect({ path, status }).toEqual({ path, status: 200 });
  }
  server.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});
