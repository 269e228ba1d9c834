import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { Conversation } from '../../src/client/types.ts';
import { formatCursor } from '../../src/conversation/stream/cursor.ts';
import { writeArchive } from '../harness/archive.ts';
import { ask, streamAddress } from '../harness/http.ts';
import { atMost, type Figure, measure, noted, progress } from '../harness/measurement.ts';
import { startWorker } from '../harness/processes.ts';
import { median, percentile } from '../harness/statistics.ts';

const TURNS = 2000;
const BYTES = 800;
const SOCKET_LIMIT_SHARE = 0.9;
const REQUIRED_RATE = 100;

await measure(
  `Two logs of 2,000 turns of ${BYTES} bytes, one that has ended and one whose next turn is under way. At the ` +
    'end: from opening the socket with the last cursor but one (or the last) to the first frame. From the ' +
    'start: all frames, from the open socket to the last one; beside it `ws` alone sends the same frames.',
  async ({ cleanup, folder, quick }) => {
    const archive = { turns: TURNS, bytes: BYTES, conversations: 1 };
    const ended = writeArchive(folder, { ...archive, ended: true }).ids[0] ?? '';
    const running = writeArchive(folder, { ...archive, ended: false }).ids[0] ?? '';
    const engine = startWorker(cleanup, 'engine');
    const broadcaster = startWorker(cleanup, 'broadcaster');
    const url = await engine.ask<string>('start', { folder, playing: { kind: 'silent' } });
    const { lastSeq } = await ask<Conversation>('GET', `${url}/conversations/${ended}`);
    const atEnd = streamAddress(url, ended, formatCursor(ended, lastSeq - 1, undefined));
    const live = streamAddress(url, running, formatCursor(running, TURNS + 2, undefined));
    const rawUrl = `${await broadcaster.ask<string>('start')}/replay`;

    const whole = streamAddress(url, ended);
    const frames: string[] = [];
    await read(whole, (frame) => void frames.push(frame.toString()));
    if (frames.length !== lastSeq) throw new Error(`${frames.length} frames of ${lastSeq}`);
    await broadcaster.ask('record', frames);
    const readings = quick ? 10 : 60;
    const toLast: number[] = [];
    const toLive: number[] = [];
    for (let index = 0; index < readings * 5; index++) {
      toLast.push(await untilFirstFrame(atEnd));
      toLive.push(await untilFirstFrame(live));
    }
    const rates: number[] = [];
    const rawRates: number[] = [];
    for (let index = 0; index < readings; index++) {
      rates.push(await read(whole));
      rawRates.push(await read(rawUrl));
    }
    progress(`${median(rates).toFixed(0)} MB/s, raw ${median(rawRates).toFixed(0)} MB/s`);
    const limit = { what: 'raw ws, the same frames', rounds: rawRates };
    const compared = noted('a stream from the start of 2,000 turns', 'MB/s', rates, limit);
    const reached = compared.ours >= REQUIRED_RATE || (compared.ratio ?? 0) >= SOCKET_LIMIT_SHARE;
    const text = `≥ ${REQUIRED_RATE} MB/s, or the socket's limit (≥ ${SOCKET_LIMIT_SHARE} ×)`;
    const fromStart: Figure = { ...compared, required: { text, reached } };
    return {
      figures: [
        atMost('resuming at the end of an ended log, p50', 'ms', median(toLast.slice(20)), 5),
        noted('resuming at the end of an ended log, p99', 'ms', percentile(toLast.slice(20), 0.99)),
        atMost('resuming at the end of a running log, p50', 'ms', median(toLive.slice(20)), 5),
        noted('resuming at the end of a running log, p99', 'ms', percentile(toLive.slice(20), 0.99)),
        fromStart,
      ],
    };
  },
);

async function untilFirstFrame(address: string): Promise<number> {
  const startedAt = performance.now();
  const socket = new WebSocket(address, { perMessageDeflate: false });
  await once(socket, 'message');
  const milliseconds = performance.now() - startedAt;
  const closed = once(socket, 'close');
  socket.terminate();
  await closed;
  return milliseconds;
}

/** Reads a stream to its end; MB/s from the open socket to the last frame. */
async function read(address: string, take?: (frame: Buffer) => void): Promise<number> {
  const socket = new WebSocket(address, { perMessageDeflate: false });
  let bytes = 0;
  let openAt = 0;
  let lastAt = 0;
  socket.on('open', () => {
    openAt = performance.now();
  });
  socket.on('message', (data: Buffer) => {
    lastAt = performance.now();
    bytes += data.length;
    take?.(data);
  });
  await once(socket, 'close');
  return bytes / 1e6 / ((lastAt - openAt) / 1000);
}
