import { EventEmitter, once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { eventFrame } from '../../src/conversation/stream/frames.ts';
import { newStreamTally } from '../../src/observability/metrics-streams.ts';
import { ANONYMOUS } from '../../src/server/caller.ts';
import {
  type Connection,
  Connections,
  eventStreamConnection,
  webSocketConnection,
} from '../../src/server/connections.ts';
import { CONVERSATION } from '../fixtures/frames.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

class FakeSocket extends EventEmitter {
  readonly did: string[] = [];
  ping = (): number => this.did.push('ping');
  pong = (): number => this.did.push('pong');
  terminate = (): number => this.did.push('terminate');
  close = (code: number): number => this.did.push(`close ${code}`);
}

function open(connections: Connections): FakeSocket {
  const socket = new FakeSocket();
  connections.add(
    webSocketConnection(socket as unknown as WebSocket, new PassThrough(), newStreamTally()),
    ANONYMOUS,
  );
  return socket;
}

it('4.7: a peer is pinged every 30 s, and dropped when it has missed two', () => {
  const connections = new Connections(() => true);
  const silent = open(connections);
  const alive = open(connections);
  for (let count = 0; count < 4; count++) {
    vi.advanceTimersByTime(30_000);
    alive.emit('pong');
  }
  expect(silent.did.slice(0, 3)).toEqual(['ping', 'ping', 'terminate']);
  expect(alive.did).toEqual(['ping', 'ping', 'ping', 'ping']);
});

it('4.4: an event stream gets a comment every 30 s', async () => {
  const connections = new Connections(() => true);
  const response = new PassThrough();
  let text = '';
  response.on('data', (bytes: Buffer) => (text += bytes.toString()));
  connections.add(eventStreamConnection(response, 'a', newStreamTally()), ANONYMOUS);
  vi.advanceTimersByTime(60_000);
  vi.useRealTimers();
  await vi.waitFor(() => expect(text).toMatch(/^(: [^\n]*\n\n){2}$/));
});

it('4.4: a reader whose stream was ended and who does not take the rest is dropped', () => {
  const connections = new Connections(() => true);
  const response = new PassThrough();
  const connection = eventStreamConnection(response, 'a', newStreamTally());
  connections.add(connection, ANONYMOUS);
  connection.end('too_slow');
  connection.send(eventFrame(CONVERSATION, { seq: 1, type: 'message', json: '{}' }));
  vi.advanceTimersByTime(60_000);
  expect(response.destroyed).toBe(false);
  vi.advanceTimersByTime(30_000);
  expect(response.destroyed).toBe(true);
});

it('4.4: who comes while the server goes away is told so', () => {
  const connections = new Connections(() => true);
  const early = open(connections);
  connections.close();
  const late = open(connections);
  expect([early.did, late.did]).toEqual([['close 1001'], ['close 1001']]);
});

it('a peer that pings and does not read is not answered without end', () => {
  const socket = new FakeSocket();
  const wire = new PassThrough({ highWaterMark: 1 });
  webSocketConnection(socket as unknown as WebSocket, wire, newStreamTally());
  socket.emit('ping', Buffer.from('x'));
  wire.write(Buffer.alloc(2 * 1024 * 1024));
  wire.write(Buffer.alloc(2 * 1024 * 1024));
  socket.emit('ping', Buffer.from('x'));
  expect(socket.did).toEqual(['pong']);
});

/** What a client gets over a real socket of a connection: its text messages, and how it was closed. */
async function receive(serve: (connection: Connection) => void): Promise<{ heard: string[]; code: number }> {
  vi.useRealTimers();
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  server.on('connection', (socket, { socket: wire }) =>
    serve(webSocketConnection(socket, wire, newStreamTally())),
  );
  const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const heard: string[] = [];
  client.on('message', (bytes: Buffer, isBinary: boolean) => {
    if (!isBinary) heard.push(bytes.toString());
  });
  const [code] = (await once(client, 'close')) as [number];
  return { heard, code };
}

const event = eventFrame(CONVERSATION, { seq: 1, type: 'message', json: '{}' });

it.each(['one by one', 'together'])(
  '4: frames of any length, sent %s, arrive as one message each',
  async (how) => {
    const lengths = [1, 125, 126, 127, 65_535, 65_536, 300_000];
    const frames = lengths.map((length) => ({
      ...event,
      json: length > 1 ? `${'x'.repeat(length - 2)}é` : 'x',
    }));
    const { heard, code } = await receive((connection) => {
      const send = (): void => {
        for (const frame of frames) connection.send(frame);
      };
      if (how === 'together') void connection.together(send);
      else send();
      connection.end('ended');
    });
    expect(heard).toEqual(frames.map(({ json }) => json));
    expect(code).toBe(1000);
  },
);

it('4: a page that can not be sent whole ends the stream, and leaves what was sent of it', async () => {
  const { heard, code } = await receive((connection) => {
    const sending = connection.together(() => {
      connection.send(event);
      throw new Error('no event');
    });
    sending.catch(() => connection.end('failed'));
  });
  expect(heard).toEqual([event.json]);
  expect(code).toBe(1011);
});
