import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import { follow } from '../fixtures/follower.ts';
import {
  bareEnvironment,
  type LogLine,
  type ServerProcess,
  startServer,
  temporaryFolder,
} from '../fixtures/server.ts';
import { type SteppedVendor, startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { type Watcher, watchEvents, watchSocket } from '../fixtures/watcher.ts';

const STEPPED = { agents: [{ provider: 'local' }, { provider: 'local' }] };

async function steppedVendor(): Promise<SteppedVendor> {
  const vendor = await startSteppedVendor();
  onTestFinished(() => vendor[Symbol.asyncDispose]());
  return vendor;
}

/** Ends the server by SIGTERM as section 6 has it; gives how long it took by its own clock, in milliseconds. */
async function terminate(server: ServerProcess): Promise<number> {
  expect(await server.stop()).toBe(0);
  expect(server.errors()).toBe('');
  expect(server.log.at(-1)).toMatchObject({ event: 'server.stopped', outcome: 'all quiet' });
  const [stopping, stopped] = ['server.stopping', 'server.stopped'].map((name) =>
    Date.parse(server.log.find(({ event }) => event === name)?.timestamp ?? ''),
  ) as [number, number];
  const took = stopped - stopping;
  console.log(`all quiet ${took} ms after SIGTERM`);
  expect(took).toBeLessThan(5000);
  return took;
}

it('6: SIGTERM to `npm start` reaches the server, and its exit code comes back', async () => {
  const cwd = fileURLToPath(new URL('../../', import.meta.url));
  const environment = bareEnvironment({ DATA_DIR: temporaryFolder() });
  const npm = spawn('npm', ['start'], { cwd, env: environment, detached: true });
  onTestFinished(() => {
    try {
      process.kill(-(npm.pid ?? 0), 'SIGKILL');
    } catch {
      // All of it has ended.
    }
  });
  const events: unknown[] = [];
  const listening = Promise.withResolvers<void>();
  createInterface({ input: npm.stdout }).on('line', (line) => {
    if (!line.startsWith('{')) return;
    const { event } = JSON.parse(line) as LogLine;
    events.push(event);
    if (event === 'server.listening') listening.resolve();
  });
  await listening.promise;
  npm.kill('SIGTERM');
  expect(await once(npm, 'close')).toEqual([0, null]);
  expect(events.at(-1)).toBe('server.stopped');
});

it('6: SIGTERM ends a call in flight, closes streams with 1001, and the next start goes on', async () => {
  const vendor = await steppedVendor();
  const environment = { ...vendor.environment, DATA_DIR: temporaryFolder() };
  const first = await startServer(environment);
  const { id } = await startTalk(first.url, { ...STEPPED, maxTurns: 2 });
  const call = await vendor.nextCall();
  const watchers: Watcher[] = [await watchSocket(first.url, id), await watchEvents(first.url, id)];
  await call.say('Half a sen');
  const seen = await Promise.all(watchers.map(({ until }) => until(({ type }) => type === 'turn.delta')));
  await terminate(first);
  await call.abandoned;
  expect(await Promise.all(watchers.map(({ closed }) => closed))).toEqual([1001, 'end']);
  for (const { frames } of watchers) {
    expect(frames.map(({ type }) => type)).toEqual([
      'conversation.created',
      'message',
      'turn.started',
      'turn.delta',
    ]);
  }

  const second = await startServer(environment);
  const again = [
    await watchSocket(second.url, id, { after: seen[0]?.cursor }),
    await watchEvents(second.url, id, { after: seen[1]?.cursor }),
  ];
  for (const content of ['A whole sentence.', 'And another.']) {
    const next = await vendor.nextCall();
    await next.say(content);
    next.finish();
  }
  expect(await Promise.all(again.map(({ closed }) => closed))).toEqual([1000, 'end']);
  for (const [index, { frames }] of again.entries()) {
    const { events } = follow(frames, follow(watchers[index]?.frames ?? []));
    expect(events).toEqual(await readLog(second.url, id));
    expect(turnsOf(events)).toEqual([0, 1, 2]);
  }
});

it('6: SIGTERM, although clients are stuck in every way', async () => {
  const server = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '5' });
  const { id } = await startTalk(server.url, { maxTurns: 10_000 });
  const watcher = await watchSocket(server.url, id);
  await watcher.until(({ type }) => type === 'turn.delta');

  const stuck = [await watchSocket(server.url, id), await watchEvents(server.url, id)];
  for (const { pause } of stuck) pause();
  // A connection without a request, one with half a request, one with a body that never ends.
  for (const beginning of [
    '',
    'GET /livez HTT',
    'POST /conversations HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"to',
    `GET /conversations/${id}/stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`,
  ]) {
    const socket = connect(server.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.write(beginning);
  }
  // Behind all of them in the server's queue.
  await (await fetch(`${server.url}/livez`)).text();

  await terminate(server);
  expect(await watcher.closed).toBe(1001);
});

it('6: SIGTERM twice is SIGTERM once', async () => {
  const server = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '5' });
  const { id } = await startTalk(server.url, { maxTurns: 10_000 });
  const stuck = await watchSocket(server.url, id);
  stuck.pause();
  server.process.kill('SIGTERM');
  await server.logged(({ event }) => event === 'server.stopping');
  server.process.kill('SIGTERM');
  server.process.kill('SIGINT');
  await terminate(server);
  expect(server.log.filter(({ event }) => event === 'server.stopping')).toHaveLength(1);
});

it('6: SIGTERM waits for no idle keep-alive connection', async () => {
  const server = await startServer();
  const agent = new Agent({ keepAlive: true, maxSockets: 3 });
  onTestFinished(() => agent.destroy());
  const asked = Array.from({ length: 3 }, async () => {
    const request = get(`${server.url}/livez`, { agent });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await once(response.resume(), 'end');
  });
  await Promise.all(asked);
  // As long it takes where a connection has to be cut off.
  expect(await terminate(server)).toBeLessThan(1000);
});

it('6: SIGTERM while a conversation waits for its turn: both go on at the next start', async () => {
  const environment = { DATA_DIR: temporaryFolder(), MAX_ACTIVE_CONVERSATIONS: '1' };
  const first = await startServer({ ...environment, EMBEDDED_TOKEN_DELAY_MS: '20' });
  const { id: running } = await startTalk(first.url, { maxTurns: 5 });
  const { id: waiting, status } = await startTalk(first.url, { maxTurns: 5 });
  expect(status).toBe('queued');
  await terminate(first);
  const second = await startServer(environment);
  for (const id of [running, waiting]) {
    const watcher = await watchSocket(second.url, id);
    expect(await watcher.closed).toBe(1000);
    expect(turnsOf(follow(watcher.frames).events)).toEqual([0, 1, 2, 3, 4, 5]);
  }
});
