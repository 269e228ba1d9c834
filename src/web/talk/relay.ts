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

/**
 * How long what comes is gathered: people read up to 50 characters a second, so that what is quicker than they are
 * comes in longer steps.
 */
const STEPS = [
  { abovePerSecond: 1200, ms: 400 },
  { abovePerSecond: 300, ms: 250 },
  { abovePerSecond: 0, ms: 100 },
];
const SHORTEST_STEP_MS = 100;

let socket: WebSocket | undefined;
let waiting: string[] = [];
/** The last of what waits, where it is a delta. */
let delta: Extract<StreamFrame, { type: 'turn.delta' }> | undefined;
let characters = 0;
/** None before the first word, which comes at once. */
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
  const perSecond = (characters * 1000) / Math.max(stepMs, SHORTEST_STEP_MS);
  stepMs = STEPS.find(({ abovePerSecond }) => perSecond > abovePerSecond)?.ms ?? SHORTEST_STEP_MS;
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
