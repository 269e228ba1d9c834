import { connect, type Socket } from 'node:net';

/** How many of each kind keep a server busy. */
export interface Rudeness {
  /** Connect and say nothing. */
  idle: number;
  /** Send the body of a request byte by byte. */
  slowWriting: number;
  /** Ask for a stream, or for one large answer after the other, and take nothing of it. */
  neverReading: number;
}

/** Between two bytes of one that writes slowly, in milliseconds. */
const BYTE_MS = 250;
/** Before one that was cut off comes back, in milliseconds. */
const RETURN_MS = 100;
/** Requests for a large answer that one that never reads sends at once. */
const PIPELINED = 20;

export interface RudeClients {
  /** Those that are connected now. */
  open: () => number;
  /** How often the server has cut one off. */
  cut: () => number;
  close: () => void;
}

/**
 * Connections that take what a server has and give nothing for it; each that is cut off comes back.
 *
 * @param id of a conversation that is under way
 * @returns when all are connected for the first time
 */
export async function startRudeClients(port: number, id: string, rudeness: Rudeness): Promise<RudeClients> {
  const open = new Set<Socket>();
  let cut = 0;
  let isClosed = false;

  function start(act: (socket: Socket) => (() => void) | undefined): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const again = (): void => {
      if (isClosed) return resolve();
      const socket = connect(port, '127.0.0.1', () => {
        open.add(socket);
        resolve();
      });
      const stop = act(socket);
      // Cut off as it writes: the end follows.
      socket.on('error', () => {});
      socket.on('close', () => {
        stop?.();
        if (open.delete(socket) && !isClosed) cut++;
        setTimeout(again, RETURN_MS).unref();
      });
    };
    again();
    return promise;
  }

  const kinds: [number, (socket: Socket) => (() => void) | undefined][] = [
    [rudeness.idle, stayIdle],
    [rudeness.slowWriting, writeSlowly],
    [Math.ceil(rudeness.neverReading / 2), (socket) => takeNothing(socket, `/conversations/${id}/events`, 1)],
    [Math.floor(rudeness.neverReading / 2), (socket) => takeNothing(socket, '/openapi.json', PIPELINED)],
  ];
  const starting = kinds.flatMap(([count, act]) => Array.from({ length: count }, () => start(act)));
  await Promise.all(starting);
  return {
    open: () => open.size,
    cut: () => cut,
    close() {
      isClosed = true;
      for (const socket of open) socket.destroy();
    },
  };
}

function stayIdle(socket: Socket): undefined {
  // It is told that it is cut off.
  socket.resume();
}

function writeSlowly(socket: Socket): () => void {
  socket.resume();
  socket.write('POST /conversations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n');
  socket.write('content-length: 100000\r\n\r\n{"topic":"');
  const writing = setInterval(() => socket.write('a'), BYTE_MS);
  return () => clearInterval(writing);
}

function takeNothing(socket: Socket, path: string, times: number): undefined {
  socket.pause();
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`.repeat(times));
}
