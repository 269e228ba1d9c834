import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { expect, it } from 'vitest';
import type { Conversation } from '../../src/client/types.ts';
import { type FleetCall, SteppedFleet } from '../fixtures/fleet.ts';
import { follow } from '../fixtures/follower.ts';
import { startServer, temporaryFolder } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk, turnsOf } from '../fixtures/talks.ts';
import { TRANSPORTS, watchSocket } from '../fixtures/watcher.ts';

const STEPPED = { agents: [{ provider: 'local' }, { provider: 'local' }] };

function other({ others: [instance] }: FleetCall) {
  if (!instance) throw new Error('there is no other instance');
  return instance;
}

it('4.2, 6: a turn is spoken to its end by the instance that leaves, and heard to its end elsewhere', async () => {
  const fleet = await SteppedFleet.start(2);
  const { id } = await startTalk(fleet.instances[0]?.url ?? '', { ...STEPPED, maxTurns: 2 });
  const first = await fleet.nextCall();
  const watchers = await Promise.all(TRANSPORTS.map(({ watch }) => watch(first.by.url, id)));
  await first.call.say('Half a sen');
  const seen = await Promise.all(watchers.map(({ until }) => until(({ type }) => type === 'turn.delta')));

  const left = first.by.stop();
  expect(await Promise.all(watchers.map(({ closed }) => closed))).toEqual([1001, 'end']);
  const { url } = other(first);
  const again = await Promise.all(
    TRANSPORTS.map(({ watch }, index) => watch(url, id, { after: seen[index]?.cursor })),
  );
  await first.call.say('tence, ');
  await Promise.all(again.map(({ until }) => until(({ type }) => type === 'turn.delta')));
  await first.call.say('and the rest.');
  first.call.finish();
  const second = await fleet.nextCall();
  expect(second.by.url).toBe(url);
  await second.call.say('Quite.');
  second.call.finish();
  expect(await left).toBe(0);
  expect(first.by.log.at(-1)).toMatchObject({ event: 'server.stopped', outcome: 'all quiet' });

  expect(await Promise.all(again.map(({ closed }) => closed))).toEqual([1000, 'end']);
  for (const [index, { frames }] of again.entries()) {
    // Of an attempt that is known there is no other start, and nothing is said twice.
    expect(frames[0]).toMatchObject({ type: 'turn.delta', text: 'tence, ' });
    const { events, texts } = follow(frames, follow(watchers[index]?.frames ?? []));
    expect(events).toEqual(await readLog(url, id));
    expect(turnsOf(events)).toEqual([0, 1, 2]);
    expect([...texts.values()]).toEqual(['Half a sentence, and the rest.', 'Quite.']);
  }
});

it('6: a turn that ends while the only process leaves is kept for its next start', async () => {
  const vendor = await startSteppedVendor();
  const environment = { ...vendor.environment, DATA_DIR: temporaryFolder() };
  const first = await startServer(environment);
  const { id } = await startTalk(first.url, { ...STEPPED, maxTurns: 2 });
  const call = await vendor.nextCall();
  await call.say('Half a sen');
  const left = first.stop();
  await first.logged(({ event }) => event === 'server.stopping');
  await call.say('tence.');
  call.finish();
  expect(await left).toBe(0);
  expect(first.log.filter(({ event }) => event === 'turn.taken')).toHaveLength(1);

  const second = await startServer(environment);
  const watcher = await watchSocket(second.url, id);
  const next = await vendor.nextCall();
  await next.say('Quite.');
  next.finish();
  expect(await watcher.closed).toBe(1000);
  const said = follow(watcher.frames).events.flatMap((event) =>
    event.type === 'message' ? [event.message.content] : [],
  );
  expect(said.slice(1)).toEqual(['Half a sentence.', 'Quite.']);
  await vendor[Symbol.asyncDispose]();
});

/** A POST of which the server has all but the last byte. */
async function almostPosted(port: number, body: string): Promise<ClientRequest> {
  const headers = { 'content-type': 'application/json', 'content-length': body.length };
  const posting = request({ port, path: '/conversations', method: 'POST', headers, agent: false });
  const connected = once(posting, 'socket').then(([socket]) => once(socket, 'connect'));
  posting.write(body.slice(0, -1));
  await connected;
  // An answer on a later connection: what was sent here was taken in before.
  await (await fetch(`http://127.0.0.1:${port}/livez`)).text();
  return posting;
}

it('6: a conversation that is made while its instance leaves begins elsewhere', async () => {
  const fleet = await SteppedFleet.start(2);
  const [leaving, staying] = fleet.instances;
  if (!leaving || !staying) throw new Error('there are no two instances');
  const posting = await almostPosted(
    leaving.port,
    JSON.stringify({ topic: 'Late?', ...STEPPED, maxTurns: 1 }),
  );
  const left = leaving.stop();
  await leaving.logged(({ event }) => event === 'server.stopping');
  posting.end('}');
  const [response] = (await once(posting, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(201);
  const { id } = (await new Response(response).json()) as Conversation;
  const { by, call } = await fleet.nextCall();
  expect(by).toBe(staying);
  await call.say('In time.');
  call.finish();
  expect(await left).toBe(0);
  const watcher = await watchSocket(staying.url, id);
  expect(await watcher.closed).toBe(1000);
});

it.each([
  ['does not answer', (pid: number) => process.kill(pid, 'SIGSTOP')],
  ['is gone', (pid: number) => process.kill(pid, 'SIGKILL')],
])('6: SIGTERM while Redis %s and a vendor says nothing', async (_, harm) => {
  const fleet = await SteppedFleet.start(1);
  const [server] = fleet.instances;
  await startTalk(server?.url ?? '', STEPPED);
  const { call } = await fleet.nextCall();
  for (const node of fleet.redis.nodes) harm(node.pid());
  const before = performance.now();
  expect(await server?.stop()).toBe(0);
  console.log(`ended ${Math.round(performance.now() - before)} ms after SIGTERM`);
  await call.abandoned;
});
