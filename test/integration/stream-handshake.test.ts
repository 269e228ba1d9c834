import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { follow } from '../fixtures/follower.ts';
import { type ServerProcess, startServer } from '../fixtures/server.ts';
import { readLog, startTalk } from '../fixtures/talks.ts';
import {
  Refused,
  TRANSPORTS,
  type WatchOptions,
  watchEvents,
  watchSocket,
  watchToEnd,
} from '../fixtures/watcher.ts';

/** A server with a conversation that has ended, one that runs for long, and the cursors of the first. */
async function prepared(): Promise<{
  server: ServerProcess;
  ended: string;
  running: string;
  cursors: string[];
}> {
  const server = await startServer({ EMBEDDED_TOKEN_DELAY_MS: '2' });
  const [ended, running] = await Promise.all([
    startTalk(server.url, { maxTurns: 2 }),
    startTalk(server.url, { maxTurns: 10_000 }),
  ]);
  const frames = await watchToEnd(watchSocket(server.url, ended.id));
  return { server, ended: ended.id, running: running.id, cursors: frames.map(({ cursor }) => cursor) };
}

async function refusal(watching: Promise<unknown>): Promise<{ status: number; code: string; type: string }> {
  const error: unknown = await watching.catch((failure: unknown) => failure);
  if (!(error instanceof Refused)) throw new Error('the stream was not refused', { cause: error });
  const { code } = JSON.parse(error.body) as { code: string };
  return { status: error.status, code, type: error.headers['content-type'] ?? '' };
}

describe.each(TRANSPORTS)('$name', ({ watch }) => {
  it('4.5: who may not read gets an HTTP answer, and no stream', async () => {
    const { server, ended, running, cursors } = await prepared();
    const asked = (id: string, options: WatchOptions = {}) => refusal(watch(server.url, id, options));
    const problem = { type: expect.stringContaining('application/problem+json') as string };
    const notFound = { status: 404, code: 'not_found', ...problem };
    expect(await asked(ended.replace(/.$/, (last) => (last === '0' ? '1' : '0')))).toEqual(notFound);
    for (const id of ['x', '%00', '..%2f', ended.toUpperCase(), `${ended}0`]) {
      expect(await asked(id)).toEqual(notFound);
    }
    const invalid = { status: 400, code: 'invalid_cursor', ...problem };
    const [inside = ''] = cursors.filter((cursor) => cursor.split('.').length > 2);
    const [first = ''] = cursors;
    for (const after of [
      '',
      '0',
      'x',
      '1',
      first.slice(0, -1),
      `${first}0`,
      ` ${first}`,
      '-1',
      '1e3',
      '\0',
      '🙂',
      inside.slice(1),
    ]) {
      expect({ after, ...(await asked(ended, { after })) }).toEqual({ after, ...invalid });
    }
    const beyond = first.replace(/^\d+/, '999999');
    expect(await asked(ended, { after: beyond })).toEqual(invalid);
    expect(await asked(running, { after: first })).toEqual(invalid);
    expect(await asked(ended, { after: 'x'.repeat(10_000) })).toEqual(invalid);
  });
});

it('4: an ordinary request for /stream is a 400 that says what it takes', async () => {
  const { server, ended } = await prepared();
  const response = await fetch(`${server.url}/conversations/${ended}/stream`);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: 'validation_failed', errors: [{ path: 'Upgrade' }] });
});

it.each([
  ['nothing', [], ''],
  ['aic.v1', ['aic.v1'], 'aic.v1'],
  ['aic.v1 with a key', ['aic.v1', 'bearer.some-key'], 'aic.v1'],
  ['a key first', ['bearer.some-key', 'aic.v1'], 'aic.v1'],
])('4.6: a client may offer %s', async (_name, protocols, agreed) => {
  const server = await startServer();
  const { id } = await startTalk(server.url, { maxTurns: 1 });
  const watcher = await watchSocket(server.url, id, { protocols });
  expect(watcher.socket.protocol).toBe(agreed);
  expect(await watcher.closed).toBe(1000);
});

describe('Server-Sent Events', () => {
  it('4.4: id is the cursor, event the type, data the frame', async () => {
    const { server, ended } = await prepared();
    const { headers, events, closed } = await watchEvents(server.url, ended);
    await closed;
    expect(headers).toMatchObject({
      'content-type': expect.stringMatching(/^text\/event-stream/) as string,
      'cache-control': 'no-store',
    });
    expect(events).toHaveLength(5);
    for (const { id, event, data } of events) {
      expect(JSON.parse(data)).toMatchObject({ cursor: id, type: event, conversationId: ended });
    }
  });

  it('4.4: Last-Event-ID works as after, and wins over it', async () => {
    const { server, ended, running, cursors } = await prepared();
    const log = await readLog(server.url, ended);
    const [first = '', second = ''] = cursors;
    const seqs = async (options: WatchOptions): Promise<number[]> => {
      const frames = await watchToEnd(watchEvents(server.url, ended, options));
      return frames.flatMap((frame) => ('seq' in frame ? [frame.seq] : []));
    };
    const all = log.map(({ seq }) => seq);
    expect(await seqs({ headers: { 'last-event-id': first } })).toEqual(all.slice(1));
    expect(await seqs({ headers: { 'last-event-id': first }, after: second })).toEqual(all.slice(1));
    expect(await seqs({ headers: { 'last-event-id': second }, after: first })).toEqual(all.slice(2));
    expect(await seqs({ headers: { 'last-event-id': second }, after: 'nonsense' })).toEqual(all.slice(2));
    // An EventSource that has had no id yet sends none, or an empty one.
    expect(await seqs({ headers: { 'last-event-id': '' }, after: first })).toEqual(all.slice(1));
    const invalid = { status: 400, code: 'invalid_cursor' };
    const wrong = { headers: { 'last-event-id': 'nonsense' }, after: first };
    expect(await refusal(watchEvents(server.url, ended, wrong))).toMatchObject(invalid);
    const beyond = { headers: { 'last-event-id': `999999.${running.slice(-12)}` } };
    expect(await refusal(watchEvents(server.url, running, beyond))).toMatchObject(invalid);
  });
});

describe('clients that do as they like', () => {
  it('what they send over an open WebSocket ends at most their own', async () => {
    const { server, running } = await prepared();
    const other = await watchSocket(server.url, running);
    const send = async (act: (socket: WebSocket, raw: Socket) => void): Promise<number> => {
      const watcher = await watchSocket(server.url, running);
      act(watcher.socket, (watcher.socket as unknown as { _socket: Socket })._socket);
      return (await watcher.closed) as number;
    };
    expect(await send((socket) => socket.send('x'.repeat(5000)))).toBe(1009);
    expect(await send((socket) => socket.send(randomBytes(1024 * 1024)))).toBe(1009);
    // Reserved bits, an unmasked frame, an opcode that there is none, bytes that are no UTF-8.
    expect(await send((_, raw) => raw.write(Buffer.from([0xf1, 0x80, 1, 2, 3, 4])))).toBe(1002);
    expect(await send((_, raw) => raw.write(Buffer.from([0x81, 0x01, 0x41])))).toBe(1002);
    expect(await send((_, raw) => raw.write(Buffer.from([0x8f, 0x80, 1, 2, 3, 4])))).toBe(1002);
    expect(await send((_, raw) => raw.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff])))).toBe(1007);
    expect(await send((socket) => socket.close(4000, 'bye'))).toBe(4000);
    expect(await send((_, raw) => raw.resetAndDestroy())).toBe(1006);

    const chatty = await watchSocket(server.url, running);
    for (let count = 0; count < 1000; count++) chatty.socket.send('{"type":"hello"}');
    chatty.socket.ping('are you there?');
    const [pong] = (await once(chatty.socket, 'pong')) as [Buffer];
    expect(pong.toString()).toBe('are you there?');

    const seen = other.frames.length;
    await other.until((frame) => frame.type === 'turn.delta' && other.frames.indexOf(frame) > seen);
    other.cut();
    follow(other.frames);
    expect(server.log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
  });

  it('a handshake that is broken off, or wrong, harms nobody', async () => {
    const { server, ended, running } = await prepared();
    const path = `/conversations/${running}/stream`;
    const upgrade = 'Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
    const whole = `GET ${path} HTTP/1.1\r\n${upgrade}${key}Sec-WebSocket-Version: 13\r\n\r\n`;
    const open = async (bytes: string): Promise<Socket> => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
      await once(socket, 'connect');
      await new Promise((resolve) => socket.write(bytes, resolve));
      return socket;
    };
    const status = async (bytes: string): Promise<number> => {
      const [head] = (await once(await open(bytes), 'data')) as [Buffer];
      return Number(/^HTTP\/1\.1 (\d+)/.exec(head.toString())?.[1]);
    };
    for (const length of [1, 40, whole.length - 2]) (await open(whole.slice(0, length))).destroy();
    for (const length of [40, whole.length]) (await open(whole.slice(0, length))).resetAndDestroy();
    await open(whole.slice(0, -2));
    expect(await status(whole)).toBe(101);
    expect(await status(`GET ${path} HTTP/1.1\r\n${upgrade}Sec-WebSocket-Version: 13\r\n\r\n`)).toBe(400);
    expect(await status(`GET ${path} HTTP/1.1\r\n${upgrade}${key}Sec-WebSocket-Version: 7\r\n\r\n`)).toBe(
      400,
    );
    expect(await status(whole.replace(path, '/nowhere'))).toBe(404);
    expect(await status(whole.replace('GET', 'POST'))).toBeGreaterThanOrEqual(400);
    // What is no stream is answered over HTTP, as if no upgrade were asked for.
    for (const other of ['/livez', `/conversations/${ended}/events`, `/conversations/${ended}`]) {
      expect(await status(whole.replace(path, other))).toBe(200);
    }

    const watcher = await watchSocket(server.url, running);
    await watcher.until(({ type }) => type === 'turn.delta');
    expect(server.log.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    expect(await server.stop()).toBe(0);
    expect(await watcher.closed).toBe(1001);
  });
});
