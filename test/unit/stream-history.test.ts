import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import { setImmediate as nextRound } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import type { ConversationLog, LogEntry } from '../../src/conversation/log/log.ts';
import { BEGINNING } from '../../src/conversation/stream/cursor.ts';
import { type StreamEnd, streamConversation } from '../../src/conversation/stream/stream.ts';
import { LocalLive } from '../../src/live/local.ts';
import { newStreamTally } from '../../src/observability/metrics-streams.ts';
import { type Connection, eventStreamConnection, webSocketConnection } from '../../src/server/connections.ts';
import { CONVERSATION } from '../fixtures/frames.ts';

const EVENTS = 2000;
const LOG: LogEntry[] = Array.from({ length: EVENTS }, (_, index) => {
  const seq = index + 1;
  const type = seq === EVENTS ? 'conversation.terminated' : 'message';
  return { seq, type, json: JSON.stringify({ seq, type, text: 'ä🙂'.repeat(seq % 50) }) };
});

/** A wire whose other end takes all at once. */
class Wire extends Writable {
  /** What was handed over, piece by piece. */
  readonly pieces: Buffer[] = [];

  override _write(bytes: Buffer, _encoding: string, done: () => void): void {
    this.pieces.push(bytes);
    done();
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.pieces.push(Buffer.concat(chunks.map(({ chunk }) => chunk)));
    done();
  }
}

const socket = (): WebSocket => Object.assign(new EventEmitter(), { OPEN: 1, readyState: 1 }) as never;
const TRANSPORTS: { name: string; connect: (wire: Wire) => Connection }[] = [
  { name: 'WebSocket', connect: (wire) => webSocketConnection(socket(), wire, newStreamTally()) },
  { name: 'SSE', connect: (wire) => eventStreamConnection(wire, CONVERSATION, newStreamTally()) },
];

/** Streams the log from its start; `rounds`: the round of the event loop in which each page was read. */
async function replay(connection: Connection): Promise<{ end: StreamEnd; rounds: number[] }> {
  let round = 0;
  const over = new AbortController();
  const counting = (async (): Promise<void> => {
    for (; !over.signal.aborted; round++) await nextRound();
  })();
  const rounds: number[] = [];
  // As the embedded storage does, it has every answer at once.
  const log: Pick<ConversationLog, 'readOn' | 'isTerminated'> = {
    readOn: async (_id, afterSeq, limit) => {
      rounds.push(round);
      return LOG.slice(afterSeq, afterSeq + limit);
    },
    isTerminated: async () => true,
  };
  const parts = { log: log as ConversationLog, live: new LocalLive() };
  const { signal } = new AbortController();
  const end = await streamConversation(parts, CONVERSATION, BEGINNING, connection, signal);
  over.abort();
  await counting;
  return { end, rounds };
}

describe.each(TRANSPORTS)('a history over $name', ({ connect }) => {
  it('4.4: slows nobody: between two pages, whatever else waits has its turn', async () => {
    const { end, rounds } = await replay(connect(new Wire()));
    expect(end).toBe('ended');
    expect(rounds.length).toBeGreaterThan(4);
    expect(new Set(rounds).size).toBe(rounds.length);
  });

  it('4.1: goes out page by page, each in one piece, whole and in order', async () => {
    const wire = new Wire();
    const { rounds } = await replay(connect(wire));
    expect(wire.pieces).toHaveLength(rounds.length);
    const seqs = Buffer.concat(wire.pieces)
      .toString()
      .match(/(?<="seq":)\d+/g);
    expect(seqs?.map(Number)).toEqual(LOG.map(({ seq }) => seq));
  });
});
