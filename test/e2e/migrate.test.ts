import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import { call } from '../fixtures/http.ts';
import { type RedisServer, startRedis } from '../fixtures/redis.ts';
import { operator } from '../fixtures/redis-storage.ts';
import { type ServerProcess, sharedByTests, startServer, temporaryFolder } from '../fixtures/server.ts';
import { startTalk } from '../fixtures/talks.ts';
import { answer, hang, type Script, startVendor, unlikeAnswers } from '../fixtures/vendors.ts';
import { watchSocket } from '../fixtures/watcher.ts';

const LOCAL_PAIR = [
  { provider: 'local', name: 'Ada' },
  { provider: 'local', name: 'Ben' },
];
const EMBEDDED_PAIR = [{ provider: 'embedded' }, { provider: 'embedded' }];
const KEYED = { topic: 'Once', agents: EMBEDDED_PAIR, maxTurns: 1 };
const KEY = { 'idempotency-key': 'the one' };
/** Enough for the command to be met in the middle. */
const MANY = 250;

/** Every log by its conversation, each event as its text. */
type Logs = Record<string, string[]>;

function migration(from: string, to: string) {
  const child = spawn(process.execPath, ['src/aic.ts', 'migrate', '--from', from, '--to', to], {
    env: { PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const output = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.err += text));
  const exit = once(child, 'close').then(([code]: unknown[]) => ({ code, ...output }));
  return { child, exit, output };
}

const migrate = (from: string, to: string) => migration(from, to).exit;

/** Ends a migration by a signal as soon as it has copied a hundred; its way to Redis is to be one that this process carries. */
async function migrateUntilMet(from: string, to: string, signal: NodeJS.Signals) {
  const { child, exit, output } = migration(from, to);
  while (!output.err.includes(`100 of ${MANY} copied`)) await once(child.stderr, 'data');
  child.kill(signal);
  return await exit;
}

/**
 * A way to a Redis server on which this process carries each piece: a migration that takes it gets no further than
 * this process sees it.
 */
async function carried({ port }: RedisServer): Promise<string> {
  const way = createServer((socket) => {
    const onward = connect(port, '127.0.0.1');
    for (const end of [socket, onward]) end.on('error', () => {});
    socket.pipe(onward).pipe(socket);
  });
  onTestFinished(() => void way.close());
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  return `redis:redis://127.0.0.1:${(way.address() as AddressInfo).port}`;
}

async function startLocal(script: Script): Promise<Record<string, string>> {
  const vendor = await startVendor('openai', script);
  onTestFinished(vendor.close);
  return { LOCAL_BASE_URL: vendor.baseUrl, LOCAL_MODEL: 'm' };
}

async function list(server: ServerProcess): Promise<string> {
  return (await call(server.url, '/conversations?limit=200')).text;
}

/** A folder as a server leaves it: ended, nudged and unfinished conversations, a key, and a hole. */
async function makeFolder(): Promise<{
  folder: string;
  unfinished: string[];
  listed: string;
  keyed: string;
}> {
  const folder = temporaryFolder();
  // Ada's and Ben's vendor says the same for ever, and nothing where the topic is silence.
  const vendor = await startLocal(({ body }) =>
    JSON.stringify(body).includes('Endless silence') ? hang : answer('Bees are the most important animals.'),
  );
  const server = await startServer({ DATA_DIR: folder, ...vendor });
  const ended = [
    await startTalk(server.url, {
      agents: EMBEDDED_PAIR,
      maxTurns: 4,
      metadata: { text: '“Ünïcode” \u2028 \u{1f41d}' },
    }),
    await startTalk(server.url, { agents: LOCAL_PAIR, maxTurns: 12, termination: {} }),
  ];
  const removed = await startTalk(server.url, { maxTurns: 2 });
  const keyed = await call(server.url, '/conversations', { body: KEYED, headers: KEY });
  const talking = await startTalk(server.url, { agents: LOCAL_PAIR, topic: 'Endless silence', maxTurns: 3 });
  const stopped = await startTalk(server.url, {
    agents: LOCAL_PAIR,
    topic: 'Endless silence 2',
    maxTurns: 3,
  });
  for (const { id } of ended) await (await watchSocket(server.url, id)).closed;
  await (await watchSocket(server.url, (keyed.body as { id: string }).id)).closed;
  await call(server.url, `/conversations/${stopped.id}/terminate`, { body: { detail: 'enough' } });
  expect((await call(server.url, `/conversations/${removed.id}`, { method: 'DELETE' })).status).toBe(204);
  const listed = await list(server);
  await server.stop();
  const types = Object.values(logsInFolder(folder)).flat();
  expect(types.some((json) => json.includes('conversation.nudged'))).toBe(true);
  return { folder, unfinished: [talking.id], listed, keyed: (keyed.body as { id: string }).id };
}

async function makeLargeFolder(): Promise<string> {
  const folder = temporaryFolder(whenOver);
  const server = await startServer({ DATA_DIR: folder }, whenOver);
  const made = Array.from({ length: MANY }, () => startTalk(server.url, { maxTurns: 1 }));
  await Promise.all(made);
  await server.stop();
  return folder;
}

const { whenOver } = sharedByTests();
let largeFolder: Promise<string> | undefined;

function logsInFolder(folder: string): Logs {
  const database = new Database(join(folder, 'conversations.sqlite'), { readonly: true });
  const rows = database
    .prepare<[], { id: string; json: string }>(
      'SELECT c.id, e.json FROM events e JOIN conversations c ON c.key = e.conversation ORDER BY c.id, e.seq',
    )
    .all();
  database.close();
  const logs: Logs = {};
  for (const { id, json } of rows) (logs[id] ??= []).push(json);
  return logs;
}

async function logsInRedis({ url }: RedisServer): Promise<Logs> {
  const client = operator(url);
  const logs: Logs = {};
  for (const key of (await client.keys('*conversation:*:log')).sort()) {
    const entries = await client.xrange(key, '-', '+');
    const id = /conversation:([^}]+)/.exec(key)?.[1] ?? '';
    logs[id] = entries.map(([, fields]) => fields[3] ?? '');
  }
  return logs;
}

/** Nothing here takes its power away, so that it need not wait for the disk with each conversation. */
async function redis(): Promise<RedisServer> {
  const server = await startRedis({ appendfsync: 'everysec' });
  onTestFinished(server.stop);
  return server;
}

it('carries all there and back again, byte for byte and in the same order, and goes on there', async () => {
  const { folder, unfinished, listed, keyed } = await makeFolder();
  const store = await redis();
  const before = logsInFolder(folder);
  const there = await migrate(`sqlite:${folder}`, `redis:${store.url}`);
  expect(there).toMatchObject({ code: 0, out: expect.stringContaining('5 conversations with ') });
  expect(await logsInRedis(store)).toEqual(before);

  // Back before anything went on: the same file in all that a client sees.
  const back = temporaryFolder();
  const returned = await migrate(`redis:${store.url}`, `sqlite:${back}`);
  expect(returned).toMatchObject({ code: 0, out: expect.stringContaining('1 idempotency keys could not') });
  expect(logsInFolder(back)).toEqual(before);
  const silence = await startLocal(hang);
  const served = await startServer({ DATA_DIR: back, ...silence });
  expect(await list(served)).toBe(listed);
  const { body: found } = await call(served.url, '/conversations?q=SS');
  expect(found).toMatchObject({ items: { length: 2 } });

  // A server on Redis has the same list, knows the key, and goes on with what had not ended.
  const fresh = unlikeAnswers();
  const server = await startServer({ REDIS_URL: store.url, ...(await startLocal(() => fresh())) });
  for (const id of unfinished) await (await watchSocket(server.url, id)).closed;
  const ids = (text: string) => (JSON.parse(text) as { items: { id: string }[] }).items.map(({ id }) => id);
  expect(ids(await list(server))).toEqual(ids(listed));
  const repeated = await call(server.url, '/conversations', { body: KEYED, headers: KEY });
  expect(repeated.headers['idempotency-replayed']).toBe('true');
  expect(repeated.body).toMatchObject({ id: keyed });
  await server.stop();
  const after = await logsInRedis(store);
  const known = Object.entries(after).map(([id, log]) => [id, log.slice(0, before[id]?.length)]);
  expect(Object.fromEntries(known)).toEqual(before);
  const longer = Object.keys(after).filter((id) => after[id]?.length !== before[id]?.length);
  expect(longer).toEqual(unfinished);
  for (const id of unfinished) expect(after[id]?.at(-1)).toContain('max_turns');

  // The copy in the folder is behind now, and is brought up to date.
  const again = temporaryFolder();
  expect((await migrate(`sqlite:${folder}`, `sqlite:${again}`)).code).toBe(0);
  expect(await migrate(`redis:${store.url}`, `sqlite:${again}`)).toMatchObject({
    code: 0,
    out: expect.stringContaining('4 of them were there already'),
  });
  expect(logsInFolder(again)).toEqual(after);
});

it.each(['SIGKILL', 'SIGINT'] as const)(
  'goes on after %s in the middle, in both directions',
  async (signal) => {
    largeFolder ??= makeLargeFolder();
    const folder = await largeFolder;
    const before = logsInFolder(folder);
    const store = await redis();
    const [from, to] = [`sqlite:${folder}`, await carried(store)];
    const met = await migrateUntilMet(from, to, signal);
    expect(met.code).toBe(signal === 'SIGINT' ? 130 : null);
    expect(met.err.includes('Interrupted. Run it again to go on.')).toBe(signal === 'SIGINT');
    // One of which a part had come, and no row.
    const [id = '', log = []] = Object.entries(before).at(-1) ?? [];
    const client = operator(store.url);
    const name = `{aic:conversation:${id}}`;
    await client.del(`${name}:log`, `${name}:row`);
    const { type } = JSON.parse(log[0] ?? '') as { type: string };
    await client.xadd(`${name}:log`, '1-0', 'type', type, 'json', log[0] ?? '');
    const resumed = await migrate(from, to);
    expect(resumed).toMatchObject({ code: 0, out: expect.stringMatching(/; [1-9]\d* of them were there/) });
    expect(await logsInRedis(store)).toEqual(before);

    const back = `sqlite:${temporaryFolder()}`;
    expect((await migrateUntilMet(to, back, signal)).code).toBe(met.code);
    expect((await migrate(to, back)).code).toBe(0);
    expect(logsInFolder(back.slice('sqlite:'.length))).toEqual(before);
  },
);

it('refuses in one line what can not be done, and changes nothing then', async () => {
  const folder = temporaryFolder();
  const server = await startServer({ DATA_DIR: folder });
  const { id } = await startTalk(server.url, { maxTurns: 2 });
  await (await watchSocket(server.url, id)).closed;
  const store = await redis();
  const [from, to] = [`sqlite:${folder}`, `redis:${store.url}`];
  const refused = async (text: string, source: string, target: string) => {
    const { code, err } = await migrate(source, target);
    expect({ code, lines: err.trim().split('\n') }).toEqual({
      code: 1,
      lines: [expect.stringContaining(text)],
    });
  };
  await Promise.all([
    refused(`is held by process ${server.process.pid}`, from, to),
    refused(`is held by process ${server.process.pid}`, to, from),
    refused('has no conversations.sqlite', `sqlite:${temporaryFolder()}`, to),
    ...['mysql://x', 'redis:nonsense', 'sqlite:'].map(async (wrong) => {
      expect(await migrate(from, wrong)).toMatchObject({
        code: 2,
        err: expect.stringContaining('--to: ') as string,
      });
    }),
  ]);
  await server.stop();

  expect((await migrate(from, to)).code).toBe(0);
  const client = operator(store.url);
  const log = `{aic:conversation:${id}}:log`;
  await client.xtrim(log, 'MAXLEN', 0);
  await client.del(log);
  await client.xadd(log, '1-0', 'type', 'conversation.created', 'json', '{"another":"log"}');
  await refused(`has a conversation ${id} with another log`, from, to);
  expect(await client.xlen(log)).toBe(1);

  await store.kill();
  await refused("Redis can't be reached", from, to);
});
