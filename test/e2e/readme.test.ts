import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { freePort } from '../fixtures/ports.ts';
import { bareEnvironment, temporaryFolder } from '../fixtures/server.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
/** The lines that newcomers paste, in the order of the README. */
const LINES = [...readFileSync(`${ROOT}README.md`, 'utf8').matchAll(/```sh\n([\s\S]*?)```/g)].map(
  ([, line]) => line?.trim() ?? '',
);

function lineWith(text: string): string {
  const line = LINES.find((candidate) => candidate.includes(text));
  if (!line) throw new Error(`the README has no line with ${text}`);
  return line;
}

/** A shell in the project's folder, whose group of processes ends with the test. */
function shell(line: string, environment: NodeJS.ProcessEnv): ChildProcess & { output: () => string } {
  const child = spawn('bash', ['-c', line], { cwd: ROOT, env: environment, detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  onTestFinished(() => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  });
  return Object.assign(child, { output: () => output });
}

it('the lines of the README start a server and a conversation, and show it to its end', async () => {
  const port = String(await freePort());
  const here = (line: string): string => line.replaceAll('8080', port);
  const environment = bareEnvironment({
    PORT: port,
    AIC_SERVER: `http://127.0.0.1:${port}`,
    DATA_DIR: temporaryFolder(),
    EMBEDDED_TOKEN_DELAY_MS: '1',
  });

  const start = lineWith('npm start');
  expect(start).toBe('npm ci && npm start');
  const server = shell('npm start', environment);
  const listening = Promise.withResolvers<void>();
  server.stdout?.on('data', () => {
    if (server.output().includes('server.listening')) listening.resolve();
  });
  await listening.promise;

  const created = shell(here(lineWith('"maxTurns":10')), environment);
  await once(created, 'close');
  const { id } = JSON.parse(created.output()) as { id: string };

  const watched = shell(here(lineWith('npm run watch')), environment);
  const [code] = (await once(watched, 'close')) as [number];
  expect({ code, output: watched.output() }).toMatchObject({
    code: 0,
    output: expect.stringContaining('Ended: max_turns, by system. 10 turns'),
  });
  for (const name of ['Moderator', 'Eliza', 'Parry']) expect(watched.output()).toContain(name);

  const events = shell(here(lineWith('/events')).replace('ID', id), environment);
  await once(events, 'close');
  expect(events.output()).toContain('event: conversation.terminated');
  for (const path of ['/docs', '/metrics', '/readyz', '/openapi.json']) {
    const { status } = await fetch(`http://127.0.0.1:${port}${path}`);
    expect({ path, status }).toEqual({ path, status: 200 });
  }
  const debate = shell(here(lineWith('"scenario":"debate"')), environment);
  await once(debate, 'close');
  expect(debate.output()).toContain('Verdict: ');

  const client = createClient({ baseUrl: `http://127.0.0.1:${port}` });
  const { id: other } = await client.createConversation({
    topic: 'Is it?',
    maxTurns: 10_000,
    turnDelayMs: 200,
  });
  const partaking = shell(here(lineWith('/pause')).replaceAll('ID', other), environment);
  await once(partaking, 'close');
  expect(partaking.output()).toContain('What about soup?');
  expect(partaking.output()).not.toContain('"code":');
  await client.terminate(other);

  // Mixing a vendor in without its key says what to set.
  const mixed = shell(here(lineWith('"provider": "claude"')), environment);
  await once(mixed, 'close');
  expect(JSON.parse(mixed.output())).toMatchObject({ code: 'provider_not_configured' });
});
