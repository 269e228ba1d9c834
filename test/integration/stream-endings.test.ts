import { describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../src/client/client.ts';
import { follow } from '../fixtures/follower.ts';
import { readSamples } from '../fixtures/metrics.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { startSteppedVendor } from '../fixtures/stepped-vendor.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import { answer, startVendor } from '../fixtures/vendors.ts';
import { Refused, TRANSPORTS, watchEvents, watchSocket, watchToEnd } from '../fixtures/watcher.ts';

const LOCAL = [{ provider: 'local' }, { provider: 'local' }];
/** Much more than the server's bounded buffer and the operating system's buffers hold together. */
const TURNS = 100;
const CHARACTERS = 90_000;

/** A server whose provider `local` says a lot at once, and never the same. */
async function talkativeServer(): Promise<ServerProcess> {
  let count = 0;
  const vendor = await startVendor('openai', () => answer(`${count++} `.repeat(CHARACTERS / 4)));
  onTestFinished(vendor.close);
  return await startServer({ LOCAL_BASE_URL: vendor.baseUrl, LOCAL_MODEL: 'talkative', MAX_TOKENS: '32000' });
}

describe.each(TRANSPORTS)('$name', ({ name, watch, ended }) => {
  it('4.4: DELETE of a running conversation sends its end, then closes', async () => {
    const vendor = await startSteppedVendor();
    onTestFinished(() => vendor[Symbol.asyncDispose]());
    const server = await startServer(vendor.environment);
    const { id } = await startTalk(server.url, { agents: LOCAL });
    const call = await vendor.nextCall();
    const watcher = await watch(server.url, id);
    await call.say('Half a sen');
    await watcher.until(({ type }) => type === 'turn.delta');
    await createClient({ baseUrl: server.url }).deleteConversation(id);
    expect(await watcher.closed).toBe(ended);
    await call.abandoned;
    expect(watcher.frames.map(({ type }) => type)).toEqual([
      'conversation.created',
      'message',
      'turn.started',
      'turn.delta',
      'conversation.terminated',
    ]);
    expect(watcher.frames.at(-1)).toMatchObject({ seq: 3, reason: 'user', by: 'user' });
    await expect(watch(server.url, id)).rejects.toMatchObject({ status: 404 });
  });

  it('4.4: a conversation that its user ends closes its streams at once', async () => {
    const server = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '50' });
    const { id } = await startTalk(server.url);
    const watcher = await watch(server.url, id);
    await watcher.until(({ type }) => type === 'turn.delta');
    await createClient({ baseUrl: server.url }).terminate(id, 'enough');
    expect(await watcher.closed).toBe(ended);
    const end = { type: 'conversation.terminated', reason: 'user', detail: 'enough', by: 'user' };
    expect(watcher.frames.at(-1)).toMatchObject(end);
  });

  it('4.4: a reader that stops reading is let go, and slows neither the talk nor another reader', async () => {
    const server = await talkativeServer();
    const { id } = await startTalk(server.url, { agents: LOCAL, maxTurns: TURNS });
    const stuck = await watch(server.url, id);
    stuck.pause();
    const other = await watch(server.url, id);
    // The other one hears all of it while this one takes nothing.
    expect(await other.closed).toBe(ended);
    const { events } = follow(other.frames);
    expect(events).toHaveLength(TURNS + 3);
    expect(stuck.frames.length).toBeLessThan(other.frames.length / 2);

    stuck.resume();
    expect(await stuck.closed).toBe(name === 'WebSocket' ? 4429 : 'end');
    const samples = await readSamples(server.url);
    const transport = `transport="${name === 'WebSocket' ? 'websocket' : 'sse'}"`;
    expect(samples.get(`ai_stream_slow_closes_total{${transport}}`)).toBe(1);
    expect(samples.get(`ai_stream_frames_dropped_total{${transport},reason="too_slow"}`)).toBe(1);
    const half = follow(stuck.frames);
    expect(half.ended).toBe(false);
    const rest = await watchToEnd(watch(server.url, id, { after: half.cursor }));
    expect(follow(rest, half).events).toEqual(events);
  });

  it('4.4: a reader that pauses within a long history loses nothing', async () => {
    const server = await talkativeServer();
    const { id } = await startTalk(server.url, { agents: LOCAL, maxTurns: TURNS });
    await (await watchSocket(server.url, id)).closed;
    const log = await readLog(server.url, id);
    const before = await residentBytes(server);
    const readers = await Promise.all(Array.from({ length: 10 }, () => watch(server.url, id)));
    for (const { pause } of readers) pause();
    // Ten times the history would be 150 MB; what waits for readers is bounded.
    const grown = (await residentBytes(server)) - before;
    expect(grown).toBeLessThan(80 * 1024 * 1024);
    for (const { resume } of readers) resume();
    for (const { frames, closed } of readers) {
      expect(await closed).toBe(ended);
      expect(follow(frames).events).toEqual(log);
    }
  });

  it('4.4, 6: readers that were let go and still do not read hold up no shutdown', async () => {
    const server = await talkativeServer();
    const { id } = await startTalk(server.url, { agents: LOCAL, maxTurns: TURNS });
    const stuck = await watch(server.url, id);
    stuck.pause();
    await (await watchSocket(server.url, id)).closed;
    expect(await server.stop()).toBe(0);
    expect(server.log.at(-1)).toMatchObject({ event: 'server.stopped', outcome: 'all quiet' });
  });
});

it('4.4: Server-Sent Events at the end of what has ended are answered with 204, so that an EventSource stops', async () => {
  const server = await startServer();
  const { id } = await startTalk(server.url, { maxTurns: 2 });
  const frames = await watchToEnd(watchEvents(server.url, id));
  const end = frames.at(-1)?.cursor ?? '';
  const past = end.replace(/^\d+/, '99');
  const refusal = async (options: Parameters<typeof watchEvents>[2]): Promise<number> => {
    const error: unknown = await watchEvents(server.url, id, options).catch((failure: unknown) => failure);
    return error instanceof Refused ? error.status : 200;
  };
  expect(await refusal({ after: end })).toBe(204);
  expect(await refusal({ headers: { 'last-event-id': end } })).toBe(204);
  // 4.5: past it there has been nothing.
  expect(await refusal({ headers: { 'last-event-id': past } })).toBe(400);
  expect(await refusal({ headers: { 'last-event-id': end }, after: frames[0]?.cursor })).toBe(204);
  // A WebSocket there is opened and closed again.
  const socket = await watchSocket(server.url, id, { after: end });
  expect(await socket.closed).toBe(1000);
  expect(socket.frames).toEqual([]);
});

async function residentBytes({ url }: ServerProcess): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(/^process_resident_memory_bytes (\d+)/m.exec(text)?.[1]);
}
