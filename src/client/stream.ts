import { CLOSE } from '../protocol/close.ts';
import { type ConnectionEnd, connect, type WebSocketClass } from './connection.ts';
import { ConnectionError, ProblemError } from './failures.ts';
import type { StreamFrame } from './types.ts';

/** How a stream comes back by itself. Delays are milliseconds. */
export interface Reconnection {
  /** The delay after the first failure; it doubles with each one that follows. */
  firstDelay: number;
  longestDelay: number;
  /** How many connections in a row may end without a frame before the stream gives up. */
  failures: number;
}

export interface StreamOptions {
  /** The cursor of the last frame had; without it the stream starts at the log's beginning. */
  after?: string | undefined;
  /** Ends the stream and closes its socket at once. */
  signal?: AbortSignal | undefined;
  /** How many frames may wait for a slow reader; 10,000 if not said. */
  bufferedFrames?: number;
  /** 250 ms to 10 s and 20 failures if not said. */
  reconnection?: Partial<Reconnection>;
  /** Told when a connection stands, and when one is gone and the next is waited for. */
  onConnection?: ((state: 'open' | 'lost') => void) | undefined;
}

/** Where a stream comes from. */
export interface StreamSource {
  WebSocket: WebSocketClass;
  protocols: string[];
  /** The WebSocket's address to go on from a cursor. */
  address(after: string | undefined): string;
  /**
   * A browser's WebSocket hides why it could not be opened. This asks over HTTP.
   *
   * @returns what the server says against this reader, or undefined where it says nothing.
   */
  refusal(after: string | undefined, signal: AbortSignal | undefined): Promise<unknown>;
}

const OPEN_WITHIN = 10_000;
const LONGEST_RETRY_AFTER = 60_000;

/**
 * The frames of a conversation, in order, without gap or repeat, however often the connection breaks. It
 * ends after `conversation.terminated`.
 *
 * A reader that lets more than `bufferedFrames` pile up loses its connection and what piled up, and goes
 * on from the last frame it took when it asks for the next.
 *
 * @throws ProblemError where the server refuses the reader for good (`not_found`, `unauthorized`,
 * `invalid_cursor`), or still refuses it after the last try; ConnectionError after too many connections
 * in a row without a frame; the signal's reason when it is aborted.
 */
export async function* streamFrames(
  source: StreamSource,
  options: StreamOptions = {},
): AsyncGenerator<StreamFrame, void, undefined> {
  const { signal, bufferedFrames = 10_000 } = options;
  const reconnection = { firstDelay: 250, longestDelay: 10_000, failures: 20, ...options.reconnection };
  let cursor = options.after;
  let failures = 0;
  for (;;) {
    signal?.throwIfAborted();
    const connection = connect({
      WebSocket: source.WebSocket,
      url: source.address(cursor),
      protocols: source.protocols,
      bufferedFrames,
      openWithin: OPEN_WITHIN,
      signal,
      onOpen: () => options.onConnection?.('open'),
    });
    let ended: ConnectionEnd;
    try {
      for (;;) {
        const received = await connection.next();
        signal?.throwIfAborted();
        if (received.type !== 'frame') {
          ended = received;
          break;
        }
        failures = 0;
        cursor = received.frame.cursor;
        yield received.frame;
        if (received.frame.type === 'conversation.terminated') return;
      }
    } finally {
      connection.close();
    }
    if (ended.type === 'overflow') continue;
    if (ended.opened && ended.code === CLOSE.ended.code) return;
    if (ended.opened && ended.code === CLOSE.rewritten.code) throw rewritten(ended.reason);

    failures += 1;
    options.onConnection?.('lost');
    const refusal = ended.opened ? undefined : await source.refusal(cursor, signal);
    signal?.throwIfAborted();
    if (refusal instanceof ProblemError && !refusal.retryable) throw refusal;
    if (failures >= reconnection.failures) throw refusal ?? gaveUp(failures, ended);
    // Whatever the reason, the first wait is short: a server that goes away (1001) or finds its reader too
    // slow (4429) wants it back soon, and one that does so again before a frame came does not.
    const longest = delayAfter(failures, reconnection);
    const asked = refusal instanceof ProblemError ? (refusal.retryAfterMs ?? 0) : 0;
    await wait(Math.max(jittered(longest), Math.min(asked, LONGEST_RETRY_AFTER)), signal);
  }
}

function delayAfter(failures: number, { firstDelay, longestDelay }: Reconnection): number {
  return Math.min(longestDelay, firstDelay * 2 ** (failures - 1));
}

/** Between half and the whole of it, so that a thousand readers don't come back at the same moment. */
function jittered(delay: number): number {
  return (delay * (1 + Math.random())) / 2;
}

/** What coming back with the cursor would be answered. */
function rewritten(reason: string): ProblemError {
  return new ProblemError({ code: 'invalid_cursor', status: 400, detail: reason });
}

function gaveUp(failures: number, { opened, code, reason }: ConnectionEnd & { type: 'closed' }): Error {
  const tries = `The stream brought nothing ${failures} times in a row`;
  const last = `it was closed with ${code}${reason ? ` (${reason})` : ''}`;
  return new ConnectionError(
    opened
      ? `${tries}: ${last}`
      : `${tries}: it could not be opened, although the server answers and knows the conversation; ` +
          'does something in between not let WebSockets through?',
  );
}

/** @throws the signal's reason as soon as it is aborted. */
function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, milliseconds);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
