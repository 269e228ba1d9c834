import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { lockDirectory } from '../../src/storage/sqlite/lock.ts';
import { failToStart, startServer, temporaryFolder } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const FILE = 'conversations.sqlite';

let used: Promise<Buffer> | undefined;

/** What a server leaves that is stopped in good order, as it lies in the folder. */
async function makeUsed(): Promise<Buffer> {
  const folder = temporaryFolder();
  const server = await startServer({ DATA_DIR: folder });
  for (const topic of ['tea', 'coffee', 'milk']) {
    const { id } = await startTalk(server.url, { topic, maxTurns: 100 });
    await (await watchSocket(server.url, id)).closed;
  }
  await server.stop();
  expect(readdirSync(folder)).not.toContain(`${FILE}-wal`);
  return readFileSync(join(folder, FILE));
}

/** Of nothing, where there is no such file. */
function hashOf(path: string): string {
  return createHash('sha256')
    .update(existsSync(path) ? readFileSync(path) : '')
    .digest('hex');
}

/** A folder with the used database in it, after something was done to the file. */
async function folderWith(harm: (path: string) => void): Promise<string> {
  used ??= makeUsed();
  const folder = temporaryFolder();
  const path = join(folder, FILE);
  writeFileSync(path, await used);
  harm(path);
  return folder;
}

function overwrite(path: string, offset: number, bytes: Buffer): void {
  const content = readFileSync(path);
  bytes.copy(content, offset);
  writeFileSync(path, content);
}

/** Where the page begins that lies this far into the file. */
function pageOf(path: string, fraction: number): number {
  return Math.floor((statSync(path).size / 4096) * fraction) * 4096;
}

/** Noise that is the same every time. */
const noise = (length: number): Buffer =>
  Buffer.from(Array.from({ length }, (_, index) => (index * 151 + 89) % 251));

describe('6: one process per DATA_DIR', () => {
  it('a second server ends at once and names the first, which goes on', async () => {
    const folder = temporaryFolder();
    const first = await startServer({ DATA_DIR: folder, EMBEDDED_TOKEN_DELAY_MS: '2' });
    const { id } = await startTalk(first.url, { maxTurns: 10 });
    const watcher = await watchSocket(first.url, id);

    const second = await failToStart({ DATA_DIR: folder, PORT: '0' });
    expect(second).toMatchObject({ code: 1, output: '' });
    expect(second.errors).toMatch(/^DATA_DIR .* is held by process \d+ on 127\.0\.0\.1:0, started .*\n$/);
    expect(second.errors).toContain(folder);
    expect(second.errors).toContain(`process ${first.process.pid} `);

    expect(await watcher.closed).toBe(1000);
    expect(await readLog(first.url, id)).toHaveLength(13);
  });

  it('two at the same moment: one of them runs', async () => {
    const folder = temporaryFolder();
    const both = await Promise.allSettled([
      startServer({ DATA_DIR: folder }),
      startServer({ DATA_DIR: folder }),
    ]);
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('the folder is free as soon as its holder is killed', async () => {
    const folder = temporaryFolder();
    const first = await startServer({ DATA_DIR: folder });
    await first.stop('SIGKILL');
    expect((await startServer({ DATA_DIR: folder })).port).toBeGreaterThan(0);
  });
});

describe('6: a DATA_DIR that can not be used stops the start', () => {
  it('but one that is not there yet is made, with those above it', () => {
    const folder = join(temporaryFolder(), 'a', 'b');
    lockDirectory(folder, 'a test').release();
    expect(existsSync(folder)).toBe(true);
  });

  it.each([
    ['where there is a file', (folder: string) => join(folder, 'file')],
    ['below a file', (folder: string) => join(folder, 'file', 'a', 'b')],
    ...(existsSync('/proc/self')
      ? [['where nobody can make one', () => '/proc/here/and/there'] as [string, () => string]]
      : []),
  ])('%s', async (_name, place) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    const { code, errors } = await failToStart({ DATA_DIR: place(folder) });
    expect(errors).toMatch(/^DATA_DIR [^\n]*\n$/);
    expect(code).toBe(1);
  });
});

describe('a database that can not be used is left as it is', () => {
  const cases: [name: string, harm: (path: string) => void, error: RegExp][] = [
    [
      'its header overwritten',
      (path) => overwrite(path, 0, noise(100)),
      /is damaged \(file is not a database\)/,
    ],
    [
      'a page in the middle overwritten',
      (path) => overwrite(path, pageOf(path, 0.5), noise(4096)),
      /is damaged \(.+\)/,
    ],
    [
      'its last page overwritten',
      (path) => overwrite(path, pageOf(path, 1) - 4096, noise(4096)),
      /is damaged/,
    ],
    ['cut off within a page', (path) => truncateSync(path, pageOf(path, 1) - 1000), /is damaged/],
    ['cut in half', (path) => truncateSync(path, pageOf(path, 0.5)), /is damaged/],
    ['nothing but the first page left', (path) => truncateSync(path, 4096), /is damaged/],
    ['nothing but half a header left', (path) => truncateSync(path, 50), /is damaged/],
    [
      'empty, with a log that is not',
      (path) => {
        truncateSync(path, 0);
        writeFileSync(`${path}-wal`, noise(4096));
      },
      /is damaged \(it is empty, its log is not\)/,
    ],
    ['no database at all', (path) => writeFileSync(path, 'Dear diary,\n'.repeat(1000)), /is damaged/],
    [
      'of a newer version',
      (path) => change(path, 'PRAGMA user_version = 1000'),
      /newer version \(schema 1000/,
    ],
    [
      'of another application',
      (path) => {
        writeFileSync(path, '');
        change(path, 'CREATE TABLE moz_cookies (id INTEGER); PRAGMA application_id = 7');
      },
      /is a database of something else/,
    ],
    [
      'of an application that has no id',
      (path) => {
        writeFileSync(path, '');
        change(path, 'CREATE TABLE notes (id INTEGER)');
      },
      /is a database of something else/,
    ],
  ];

  it.each(cases)('%s', async (_name, harm, error) => {
    const folder = await folderWith(harm);
    const path = join(folder, FILE);
    const before = hashOf(path);
    const logBefore = hashOf(`${path}-wal`);
    const { code, output, errors } = await failToStart({ DATA_DIR: folder });
    expect(errors).toMatch(error);
    expect(errors).toMatch(/^[^\n]*conversations\.sqlite[^\n]*\n$/);
    expect({ code, output }).toEqual({ code: 1, output: '' });
    expect(hashOf(path)).toBe(before);
    expect(hashOf(`${path}-wal`)).toBe(logBefore);
  });

  it('a directory where the lock should be', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'lock.sqlite'));
    const { code, errors } = await failToStart({ DATA_DIR: folder });
    expect(errors).toMatch(/^DATA_DIR [^\n]*\n$/);
    expect(code).toBe(1);
  });

  it('a directory where the file should be', async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, FILE));
    const { code, errors } = await failToStart({ DATA_DIR: folder });
    expect(errors).toMatch(/^[^\n]*conversations\.sqlite[^\n]*\n$/);
    expect(code).toBe(1);
  });
});

it('a first start that was killed before it had written anything does not stand in the way', async () => {
  const folder = temporaryFolder();
  change(join(folder, FILE), 'PRAGMA journal_mode = WAL');
  const server = await startServer({ DATA_DIR: folder });
  expect((await createClient({ baseUrl: server.url }).listConversations()).items).toEqual([]);
});

it('what was deleted leaves no trace in the folder, also after kill -9', async () => {
  const folder = temporaryFolder();
  const server = await startServer({ DATA_DIR: folder });
  const topic = 'the xylophonist of Zwickau';
  const { id } = await startTalk(server.url, { topic, maxTurns: 3 });
  await (await watchSocket(server.url, id)).closed;
  const client = createClient({ baseUrl: server.url });
  // Others have the same words, and words around them.
  const { id: other } = await startTalk(server.url, { topic: 'xylophon in Zwickau', maxTurns: 3 });
  expect((await client.search({ q: 'xylophonist' })).items).not.toEqual([]);
  await client.deleteConversation(id);
  expect((await client.search({ q: 'xylo*' })).items[0]).toMatchObject({ conversationId: other });
  await server.stop('SIGKILL');
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
  for (const content of files) expect(content).not.toContain('xylophonist');
  // Only that it was removed is known for a while, once, for indexes to follow.
  expect(files.join('').split(id)).toHaveLength(2);
});

function change(path: string, sql: string): void {
  const database = new Database(path);
  database.exec(sql);
  database.close();
}
