/**
 * Runs in a worker: holds a WebSocket, and hands over what came in a while together, so that the page is woken some
 * times a second and not by each token. Deltas of one attempt that follow on each other become one.
 */
import type { StreamFrame } from '../../client/types.ts';

export type ToRelay = { type: 'open'; url: string; protocols: string[] } | { type: 'close' };

export type FromRelay =
  | { type: 'open' }
  | { type: 'messages'; messages: string[] }
  | { type: 'close'; code: number; reason: string };

const TOGETHER_MS = 100;
/** Speech that nobody reads along with, in characters within one step, comes in longer steps. */
const QUICK_CHARACTERS = 120;
const QUICK_TOGETHER_MS = 250;

let socket: WebSocket | undefined;
let waiting: string[] = [];
/** The last of what waits, where it is a delta. */
let delta: Extract<StreamFrame, { type: 'turn.delta' }> | undefined;
let characters = 0;
let stepMs = 0;
let due: ReturnType<typeof setTimeout> | undefined;

function tell(what: FromRelay): void {
  postMessage(what);
}

function handOver(): void {
  due = undefined;
  if (delta) waiting.push(JSON.stringify(delta));
  delta = undefined;
  if (waiting.length > 0) tell({ type: 'messages', messages: waiting });
  waiting = [];
  stepMs = characters > QUICK_CHARACTERS ? QUICK_TOGETHER_MS : TOGETHER_MS;
  characters = 0;
}

function take(data: unknown): void {
  // What is no frame is told as it came: whoever reads it closes the connection for it.
  const text = typeof data === 'string' ? data : '';
  const frame = text.includes('"turn.delta"') ? deltaIn(text) : undefined;
  if (frame && delta?.attempt === frame.attempt) {
    delta = { ...frame, text: delta.text + frame.text };
  } else {
    if (delta) waiting.push(JSON.stringify(delta));
    delta = frame;
    if (!frame) waiting.push(text);
  }
  characters += frame?.text.length ?? 0;
  // What comes behind a silence comes at once.
  due ??= setTimeout(handOver, stepMs);
}

function deltaIn(text: string): typeof delta {
  try {
    const frame: StreamFrame = JSON.parse(text);
    return frame.type === 'turn.delta' ? frame : undefined;
  } catch {
    return undefined;
  }
}

addEventListener('message', ({ data }: MessageEvent<ToRelay>) => {
  if (data.type === 'close') {
    socket?.close(1000);
    return;
  }
  socket = new WebSocket(data.url, data.protocols);
  socket.addEventListener('open', () => tell({ type: 'open' }));
  socket.addEventListener('message', ({ data }) => take(data));
  socket.addEventListener('close', ({ code, reason }) => {
    clearTimeout(due);
    handOver();
    tell({ type: 'close', code, reason });
  });
});
