import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/index.ts';
import { freePort } from '../fixtures/ports.ts';
import { bareEnvironment, startServer, temporaryFolder } from '../fixtures/server.ts';

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

/** A shell, in the project's folder unless said otherwise, whose group of processes ends with the test. */
function shell(
  line: string,
  environment: NodeJS.ProcessEnv,
  cwd = ROOT,
): ChildProcess & { output: () => string } {
  const child = spawn('bash', ['-c', line], { cwd, env: environment, detached: true });
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

it('11.3, 5.2: the lines of the README have two agents cite three files, without a key', async () => {
  const { url, port } = await startServer();
  // They write files where they are pasted.
  const folder = temporaryFolder();
  for (const name of ['package.json', 'src', 'node_modules'])
    symlinkSync(join(ROOT, name), join(folder, name));
  const lines = lineWith('knowledge/trams').replaceAll('8080', String(port));
  const environment = bareEnvironment({ AIC_SERVER: url });
  const pasted = shell(`set -e\n${lines}`, environment, folder);
  const [code] = (await once(pasted, 'close')) as [number];
  const output = pasted.output();
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('Ended: max_turns') });

  const client = createClient({ baseUrl: url });
  const { items: documents } = await client.documents('trams');
  expect(documents.map(({ title }) => title).sort()).toEqual(['electric.html', 'lines.csv', 'trams.md']);
  const { items: talks } = await client.listConversations();
  const { items } = await client.messages(talks[0]?.id ?? '');
  const replies = items.filter(({ turn }) => turn > 0);
  expect(replies.map(({ sender }) => sender)).toEqual(['Ada', 'Ben', 'Ada', 'Ben']);
  for (const { metadata } of replies) expect(metadata.sources?.length).toBeGreaterThan(0);
  // Each sentence is quoted once: the first to speak has one, and so has the other.
  for (const { content, metadata } of replies.slice(0, 2)) {
    const [source, ...others] = metadata.sources?.filter(({ cited }) => cited) ?? [];
    if (!source) throw new Error(`nothing is cited in ${content}`);
    expect([others, content]).toEqual([[], expect.stringContaining(`" [${source.n}]`)]);
    expect(output).toContain(`" [${source.n}]`);
    const { text } = await client.getDocument('trams', source.documentId);
    const [quoted = ''] = /(?<=")[^"]+(?=" \[)/.exec(content) ?? [];
    expect(quoted).toContain('of Zurich ran in 18');
    expect(text.slice(source.from, source.to)).toContain(quoted);
  }
});
