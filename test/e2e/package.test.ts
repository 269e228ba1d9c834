import { execFileSync } from 'node:child_process';
import {
  accessSync,
  constants,
  globSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { aic, runCommand } from '../fixtures/command-line.ts';
import { temporaryFolder } from '../fixtures/server.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const { name } = packageJson;

/** A project of somebody else, with nothing in it but the package as it is published and what that depends on. */
let project: string;
let files: string[];
beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'aic-project-'));
  execFileSync('npm', ['pack', '--pack-destination', project], { cwd: ROOT, stdio: 'ignore' });
  const [packed = ''] = globSync('*.tgz', { cwd: project });
  const list = execFileSync('tar', ['-tzf', join(project, packed)], { encoding: 'utf8' });
  files = list
    .trim()
    .split('\n')
    .map((path) => path.replace(/^package\//, ''));
  const target = join(project, 'node_modules', name);
  mkdirSync(target, { recursive: true });
  execFileSync('tar', ['-xzf', join(project, packed), '--strip-components=1', '-C', target]);
  for (const dependency of Object.keys(packageJson.dependencies)) {
    const link = join(project, 'node_modules', dependency);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', dependency), link);
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
});
afterAll(() => rm(project, { recursive: true, force: true }));

const program = (): [string, string] => [
  process.execPath,
  join(project, 'node_modules', name, 'dist/aic.js'),
];

describe('the package', () => {
  it('has what runs and its types, and nothing else', () => {
    expect(files).toContain('dist/storage/sqlite/migrations/001-log.sql');
    expect(files).toContain('dist/storage/redis/scripts/append.lua');
    expect(files).toContain('dist/client/index.d.ts');
    expect(files).toContain('dist/page/index.html');
    expect(files.filter((file) => !/^(?:dist\/|package\.json$|README\.md$|LICENSE$)/.test(file))).toEqual([]);
    expect(files.filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))).toEqual([]);
    accessSync(program()[1], constants.X_OK);
  });

  it('runs a conversation, and reads it', async () => {
    const folder = temporaryFolder();
    const talk = await aic(['Is soup a drink?', '--turns', '2'], { folder, program: program() });
    expect(talk).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^Moderator: .*\nEliza .*\nParry .*\n$/),
    });
    const listed = await aic(['list'], { folder, program: program() });
    expect(listed).toMatchObject({ code: 0, out: expect.stringContaining('terminated') });
  });

  it('serves, and its client speaks to it from JavaScript', async () => {
    const folder = temporaryFolder();
    const server = runCommand(['serve', '--port', '0'], { folder, program: program() });
    await server.printed('"server.listening"');
    const [, port] = /"port":(\d+).*"event":"server.listening"/.exec(server.out()) ?? [];
    writeFileSync(
      join(project, 'talk.js'),
      `import { createClient } from '${name}';
       const client = createClient({ baseUrl: process.argv[2] });
       const { id } = await client.createConversation({ topic: 'Is soup a drink?', maxTurns: 2 });
       const types = [];
       for await (const frame of client.watch(id)) if ('seq' in frame) types.push(frame.type);
       console.log(types.join());`,
    );
    const given = ['talk.js', `http://127.0.0.1:${port}`];
    const output = execFileSync(process.execPath, given, { cwd: project, encoding: 'utf8' });
    expect(output).toBe('conversation.created,message,message,message,conversation.terminated\n');
  });

  it.each(['nodenext', 'bundler'])('has types that check, with moduleResolution %s', (moduleResolution) => {
    writeFileSync(
      join(project, 'typed.ts'),
      `import { createClient, type Message, ProblemError, type StreamFrame } from '${name}';
       import { createClient as same } from '${name}/client';
       export const client: ReturnType<typeof same> = createClient({ baseUrl: 'http://127.0.0.1:8080' });
       export async function words(id: string, signal: AbortSignal): Promise<string[]> {
         const said: string[] = [];
         for await (const frame of client.watch(id, { after: 'x', signal })) {
           const typed: StreamFrame = frame;
           if (typed.type === 'message') said.push(typed.message.content);
         }
         return said;
       }
       export const isMissing = (error: unknown): boolean => error instanceof ProblemError && error.status === 404;
       // @ts-expect-error: a topic is text
       export const wrong = client.createConversation({ topic: 1 });
       // @ts-expect-error: there is no such field
       export const unknown = (message: Message): unknown => message.nothing;`,
    );
    const options = {
      strict: true,
      noEmit: true,
      target: 'es2022',
      module: moduleResolution === 'nodenext' ? 'nodenext' : 'esnext',
      moduleResolution,
      lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable', 'dom.asynciterable'],
      types: [],
    };
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['typed.ts'] }),
    );
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    const check = (): Buffer =>
      execFileSync(process.execPath, [compiler, '-p', project], { stdio: 'inherit' });
    expect(check).not.toThrow();
  });

  it('bundles for browsers, with nothing in it but the client', async () => {
    writeFileSync(
      join(project, 'page.js'),
      `import { createClient } from '${name}';\nexport { createClient };\n`,
    );
    const { metafile } = await build({
      entryPoints: [join(project, 'page.js')],
      outfile: join(project, 'page.bundle.mjs'),
      absWorkingDir: project,
      bundle: true,
      minify: true,
      platform: 'browser',
      format: 'esm',
      metafile: true,
      logLevel: 'silent',
    });
    const inputs = Object.keys(metafile.inputs).filter((file) => file !== 'page.js');
    expect(inputs.length).toBeGreaterThan(2);
    expect(inputs.filter((file) => !/\/dist\/(?:client\/\w+|protocol\/close)\.js$/.test(file))).toEqual([]);
    expect(readFileSync(join(project, 'page.bundle.mjs')).byteLength).toBeLessThan(16_384);
    const bundle = (await import(join(project, 'page.bundle.mjs'))) as { createClient: unknown };
    expect(bundle.createClient).toBeTypeOf('function');
  });
});
