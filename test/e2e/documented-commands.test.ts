import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { aic, runCommand } from '../fixtures/command-line.ts';
import { blocksOf, blockWith, pages, ROOT } from '../fixtures/documents.ts';
import { keyOf, listed } from '../fixtures/keys.ts';
import { startRedis } from '../fixtures/redis.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { startTalk } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

/** Which test runs a block of commands: of which page, by what stands in the block and in the test. */
const RUN: readonly (readonly [page: string, text: string, test: string])[] = [
  ['README.md', 'Do dogs dream?', 'quick-starts.test.ts'],
  ['README.md', '--save pair', 'quick-starts.test.ts'],
  ['README.md', 'doctor', 'quick-starts.test.ts'],
  ['README.md', 'npm start', 'readme.test.ts'],
  ['README.md', '"maxTurns":10', 'readme.test.ts'],
  ['README.md', 'npm run watch', 'readme.test.ts'],
  ['README.md', '/events', 'readme.test.ts'],
  ['README.md', '"scenario":"debate"', 'readme.test.ts'],
  ['README.md', '"provider": "claude"', 'readme.test.ts'],
  ['README.md', '/pause', 'readme.test.ts'],
  ['README.md', 'trams.md', 'documented-commands.test.ts'],
  ['CONTRIBUTING.md', 'hot dog', 'quick-starts.test.ts'],
  ['docs/cli.md', 'hot dog', 'quick-starts.test.ts'],
  ['examples/README.md', 'hot dog', 'quick-starts.test.ts'],
  ['docs/going-to-production.md', 'VACUUM INTO', 'backup.test.ts'],
  ['docs/going-to-production.md', '--from sqlite:data', 'documented-commands.test.ts'],
  ['docs/keys.md', 'keys create ada', 'documented-commands.test.ts'],
  ['docs/doors.md', '/webhooks', 'documented-commands.test.ts'],
  ['docs/tracing.md', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'documented-commands.test.ts'],
  ['docs/kubernetes.md', 'helm install', '../deploy/document.test.ts'],
  ['deploy/helm/README.md', 'helm install', '../deploy/document.test.ts'],
];
/** How lines begin that are to be pasted into a shell. */
const COMMAND =
  /^(?:\$ |export )?(?:[A-Z_]+=\S+ )*(?:npm|npx|node|aic|curl|docker|helm|kubectl|redis-cli|claude|git|export|cat|printf) /m;

/** A block's lines in the clone, as one script. */
const inClone = (script: string, environment: Record<string, string> = {}) =>
  aic(['-c', `cd ${ROOT} && set -e\n${script}`], {
    folder: temporaryFolder(),
    program: ['bash'],
    environment,
  });

describe('blocks of commands', () => {
  it('docs/keys.md: a key, and the entry for it', async () => {
    const { code, out } = await inClone(blockWith('docs/keys.md', 'sh', 'keys create ada'));
    expect(code).toBe(0);
    const [key, entry = ''] = out.trim().split('\n');
    expect(key).toMatch(/^aic_[\w-]{43}$/);
    expect(JSON.parse(entry)).toMatchObject({ name: 'ada', tenant: 'acme', scopes: ['conversations:write'] });
  });

  it('docs/going-to-production.md: from a file to Redis', async () => {
    const folder = temporaryFolder();
    const server = await startServer({ DATA_DIR: folder });
    const { id } = await startTalk(server.url, { maxTurns: 2 });
    expect(await (await watchSocket(server.url, id)).closed).toBe(1000);
    await server.stop();
    const redis = await startRedis();
    const block = blockWith('docs/going-to-production.md', 'sh', '--from sqlite:data')
      .replace('sqlite:data', `sqlite:${folder}`)
      .replace('redis://127.0.0.1:6379', redis.url);
    const { code, out } = await inClone(block);
    await redis.stop();
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('1 conversation') });
  });

  it('README.md: what agents look up', async () => {
    const { url } = await startServer();
    const block = blockWith('README.md', 'sh', 'trams.md')
      .replaceAll('http://127.0.0.1:8080', url)
      .replace('npm', `npm --prefix ${ROOT}`);
    const { code, out } = await aic(['-c', `set -e\n${block}`], {
      folder: temporaryFolder(),
      program: ['bash'],
      environment: { AIC_SERVER: url },
    });
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('Hirslanden') });
    expect(out).not.toContain('"code":');
  });

  it('docs/doors.md: a webhook', async () => {
    const key = keyOf('acme', 'ada', ['conversations:write']);
    const { url } = await startServer({ API_KEYS: listed(key) });
    const block = blockWith('docs/doors.md', 'sh', '/webhooks')
      .replace('http://127.0.0.1:8080', url)
      .replace('n8n.example.com', '93.184.216.34')
      .replace('Bearer KEY', key.headers['authorization'] ?? '');
    const { code, out } = await inClone(block);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      secret: expect.stringMatching(/^whsec_/),
      id: expect.any(String),
    });
  });

  it('docs/tracing.md: a server that tells a collector', async () => {
    const block = blockWith('docs/tracing.md', 'sh', 'OTEL_EXPORTER_OTLP_ENDPOINT');
    const server = runCommand(
      ['-c', `cd ${ROOT} && ${block.replace('npm start', 'exec node src/main.ts')}`],
      {
        folder: temporaryFolder(),
        program: ['bash'],
        environment: { PORT: '0' },
      },
    );
    await server.printed('"server.listening"');
    server.interrupt();
    expect(await server.ended).toMatchObject({ code: 0 });
  });

  it('each is run by a test, or marked', () => {
    const unknown = pages().flatMap((page) =>
      blocksOf(page, 'sh').filter((block) => !RUN.some(([of, text]) => of === page && block.includes(text))),
    );
    expect(unknown).toEqual([]);
  });

  it.each(RUN)('%s, %s: stands there, and in %s', (page, text, test) => {
    expect(blockWith(page, 'sh', text)).toContain(text);
    const source = readFileSync(join(ROOT, 'test/e2e', test), 'utf8');
    expect(source).toContain(text);
    expect(source).toContain(page.split('/').at(-1));
  });

  it('none hides in a fence without a language', () => {
    const hidden = pages().flatMap((page) => blocksOf(page, '').filter((block) => COMMAND.test(block)));
    expect(hidden).toEqual([]);
  });
});
