import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setImmediate as nextRound } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { Frame } from '../conversation/stream/frames.ts';
import { MAX_BACKLOG_BYTES, type StreamEnd, type StreamSink } from '../conversation/stream/stream.ts';
import type { StreamTally } from '../observability/metrics-streams.ts';
import { CLOSE } from '../protocol/close.ts';
import type { StreamRewritten } from '../protocol/frames.ts';
import type { Caller } from './caller.ts';

/** One reader's connection, whichever the transport. */
export interface Connection extends StreamSink {
  /** Says good-bye in the transport's own way. */
  end(why: StreamEnd | 'shutdown' | 'unauthorized' | 'failed'): void;
  /** Shows that the server is there, and finds out whether the peer is. */
  beat(): void;
  /** Ends it whatever the peer does. */
  destroy(): void;
}

/** Between two signs of life, in milliseconds; docs/protocol.md, section 4.7. */
const HEARTBEAT_MS = 30_000;
const MISSED_BEATS = 2;

/** The connections whose sockets are open: one heartbeat for all, and one place that ends them. */
export class Connections {
  readonly #open = new Map<Connection, Caller>();
  readonly #mayRead: (caller: Caller) => boolean;
  #closed = false;
  readonly #heartbeat: NodeJS.Timeout;

  /** @param mayRead whether somebody may go on reading */
  constructor(mayRead: (caller: Caller) => boolean) {
    this.#mayRead = mayRead;
    this.#heartbeat = setInterval(() => {
      for (const connection of this.#open.keys()) connection.beat();
    }, HEARTBEAT_MS).unref();
  }

  add(connection: Connection, caller: Caller): void {
    this.#open.set(connection, caller);
    if (this.#closed) connection.end('shutdown');
    else if (!this.#mayRead(caller)) connection.end('unauthorized');
  }

  delete(connection: Connection): void {
    this.#open.delete(connection);
  }

  /** Ends those whose readers may read no more. */
  endRefused(): void {
    for (const [connection, caller] of this.#open) {
      if (!this.#mayRead(caller)) connection.end('unauthorized');
    }
  }

  /** Tells every reader to come back later. */
  close(): void {
    this.#closed = true;
    clearInterval(this.#heartbeat);
    for (const connection of this.#open.keys()) connection.end('shutdown');
  }

  destroy(): void {
    for (const connection of this.#open.keys()) connection.destroy();
  }
}

/** A frame goes to all its readers one after the other, so that only the last one's bytes need be kept. */
function encodedOnce(encode: (frame: Frame) => Buffer): (frame: Frame) => Buffer {
  let last: Frame | undefined;
  let bytes: Buffer = Buffer.alloc(0);
  return (frame) => {
    if (frame !== last) {
      last = frame;
      bytes = encode(frame);
    }
    return bytes;
  };
}

const asMessage = encodedOnce(({ json }) => textMessage(json));
const asServerSentEvent = encodedOnce(({ cursor, type, json }) =>
  Buffer.from(`id: ${cursor}\nevent: ${type}\ndata: ${json}\n\n`),
);

const FINAL_TEXT = 0x81;

/**
 * A text message in one frame, as a server sends it: https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 * `ws` would write header and text one after the other for each reader anew; in one piece they cost half.
 */
function textMessage(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const start = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const bytes = Buffer.allocUnsafe(start + length);
  bytes[0] = FINAL_TEXT;
  if (start === 2) bytes[1] = length;
  else if (start === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.write(text, start);
  return bytes;
}

/** @param wire what the WebSocket writes to, for it tells how much is waiting there */
export function webSocketConnection(socket: WebSocket, wire: Writable, tally: StreamTally): Connection {
  let missed = 0;
  socket.on('pong', () => {
    missed = 0;
  });
  // A peer that pings and doesn't read what it gets for it is not answered without end.
  socket.on('ping', (data: Buffer) => {
    if (wire.writableLength < MAX_BACKLOG_BYTES) socket.pong(data);
  });
  return {
    send(frame) {
      if (socket.readyState !== socket.OPEN) {
        tally.droppedClosed++;
        return;
      }
      tally.sent++;
      wire.write(asMessage(frame));
    },
    together: (sending) => together(wire, sending),
    backlog: () => wire.writableLength,
    drained: (signal) => drained(wire, signal),
    end(why) {
      if (why === 'closed') return socket.terminate();
      const { code, reason } = why === 'removed' ? CLOSE.ended : CLOSE[why === 'too_slow' ? 'tooSlow' : why];
      socket.close(code, reason);
    },
    beat() {
      if (missed++ >= MISSED_BEATS) socket.terminate();
      else socket.ping();
    },
    destroy: () => socket.terminate(),
  };
}

/** Server-Sent Events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export function eventStreamConnection(
  response: Writable,
  conversationId: string,
  tally: StreamTally,
): Connection {
  let missed = 0;
  return {
    send(frame) {
      if (response.writableEnded) {
        tally.droppedClosed++;
        return;
      }
      tally.sent++;
      response.write(asServerSentEvent(frame));
    },
    together: (sending) => together(response, sending),
    backlog: () => response.writableLength,
    drained: (signal) => drained(response, signal),
    end(why) {
      const last: StreamRewritten = { type: 'stream.rewritten', conversationId };
      // Without an id, so that an EventSource doesn't take it for a place to go on from.
      if (why === 'rewritten') response.write(`event: ${last.type}\ndata: ${JSON.stringify(last)}\n\n`);
      response.end();
    },
    beat() {
      if (!response.writableEnded) response.write(': still here\n\n');
      else if (missed++ >= MISSED_BEATS) response.destroy();
    },
    destroy: () => void response.destroy(),
  };
}

/** Has what is written meanwhile go out in one piece. While the operating system takes all at once, each write is a call of it, and costs more than its frame. */
export async function together(wire: Writable, sending: () => void): Promise<void> {
  wire.cork();
  try {
    sending();
  } finally {
    wire.uncork();
  }
  await nextRound();
}

/** Waits until what was written has been taken. */
export async function drained(wire: Writable, signal: AbortSignal): Promise<void> {
  if (wire.writableNeedDrain) await once(wire, 'drain', { signal });
}
