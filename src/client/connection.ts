import type { StreamFrame } from './types.ts';

/** As much of a WebSocket as is needed here. */
export type WebSocketClass = new (
  url: string,
  protocols: string[],
) => Pick<WebSocket, 'addEventListener' | 'close'>;

/** Why a connection brings no more frames; `overflow`: the reader was too slow, its frames are dropped. */
export type ConnectionEnd =
  | { type: 'closed'; opened: boolean; code: number; reason: string }
  | { type: 'overflow' };

/** One WebSocket with a bounded buffer between it and its reader. */
export interface Connection {
  /** The next frame in order, or how the connection ended, then again and again. One call at a time. */
  next(): Promise<{ type: 'frame'; frame: StreamFrame } | ConnectionEnd>;
  /** Closes the socket and drops what nobody has read; safe to call twice. */
  close(): void;
}

export interface ConnectionOptions {
  WebSocket: WebSocketClass;
  url: string;
  protocols: string[];
  /** How many frames may wait for the reader. */
  bufferedFrames: number;
  /** In milliseconds. */
  openWithin: number;
  signal: AbortSignal | undefined;
  onOpen?: (() => void) | undefined;
}

/** Opens a connection. It ends by itself when the server closes it, and when the signal is aborted. */
export function connect(options: ConnectionOptions): Connection {
  const { bufferedFrames, openWithin, signal } = options;
  const socket = new options.WebSocket(options.url, options.protocols);
  const frames: StreamFrame[] = [];
  let opened = false;
  let ended: ConnectionEnd | undefined;
  let reader: ((received: { type: 'frame'; frame: StreamFrame } | ConnectionEnd) => void) | undefined;

  const end = (how: ConnectionEnd) => {
    if (ended) return;
    ended = how;
    clearTimeout(opening);
    signal?.removeEventListener('abort', close);
    socket.close(1000);
    reader?.(how);
  };
  const close = () => {
    frames.length = 0;
    end({ type: 'closed', opened, code: 1000, reason: 'closed by the reader' });
  };
  const opening = setTimeout(() => {
    end({ type: 'closed', opened, code: 1006, reason: `not open after ${openWithin / 1000} s` });
  }, openWithin);

  socket.addEventListener('open', () => {
    opened = true;
    clearTimeout(opening);
    options.onOpen?.();
  });
  socket.addEventListener('message', ({ data }: { data: unknown }) => {
    if (ended) return;
    const frame = parseFrame(data);
    if (!frame) {
      end({ type: 'closed', opened, code: 1002, reason: 'something came that is no frame' });
    } else if (reader) {
      // Handed over and not buffered, so that each connection gets its reader one frame further at least.
      reader({ type: 'frame', frame });
      reader = undefined;
    } else if (frames.length < bufferedFrames) {
      frames.push(frame);
    } else {
      // The server tells a reader that comes back the whole text so far: that is less to read than this.
      frames.length = 0;
      end({ type: 'overflow' });
    }
  });
  socket.addEventListener('close', ({ code, reason }) => end({ type: 'closed', opened, code, reason }));
  signal?.addEventListener('abort', close);
  if (signal?.aborted) close();

  return {
    next() {
      const frame = frames.shift();
      if (frame) return Promise.resolve({ type: 'frame', frame });
      if (ended) return Promise.resolve(ended);
      return new Promise((resolve) => {
        reader = resolve;
      });
    },
    close,
  };
}

function parseFrame(data: unknown): StreamFrame | undefined {
  if (typeof data !== 'string') return undefined;
  try {
    const frame: StreamFrame | null = JSON.parse(data);
    return typeof frame?.type === 'string' && typeof frame.cursor === 'string' ? frame : undefined;
  } catch {
    return undefined;
  }
}
