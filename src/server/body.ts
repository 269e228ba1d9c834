import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError, invalid } from '../errors.ts';
import { UNKNOWN_FIELD } from './validation.ts';

const MAX_BODY_BYTES = 1024 * 1024;
/**
 * A body that is too large is read on to its end, up to here, and thrown away: a client that is still sending
 * when the server closes meets a reset instead of the answer. The server's request timeout bounds the time.
 */
const MAX_DRAINED_BYTES = 64 * 1024 * 1024;

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads JSON bodies: UTF-8 and nothing else, and no `__proto__`, at whatever depth. An empty body is none,
 * whatever type it is said to be: `curl -d ''` says that it is a form. All other bodies are refused.
 */
export function registerBodyParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  registerJsonParser(app, MAX_BODY_BYTES, 'application/json');
}

/**
 * The same with another bound, for a scope of its own.
 *
 * @param takes what bodies there may be, as those who send another kind are told
 */
export function registerJsonParser(app: FastifyInstance, mostBytes: number, takes: string): void {
  app.addContentTypeParser('application/json', async (_request: unknown, payload: IncomingMessage) =>
    parseJson(await read(payload, mostBytes)),
  );
  app.addContentTypeParser('*', async (request: FastifyRequest, payload: IncomingMessage) => {
    if ((await read(payload, mostBytes)).length === 0) return undefined;
    const type = request.headers['content-type'];
    throw new AppError('unsupported_media_type', `takes ${takes}, not ${type ?? 'a body of no type'}`);
  });
}

/** By plain listeners: an iterator over the stream costs more than all that is done with a body. */
function read(payload: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const kept: Buffer[] = [];
  let size = 0;
  const end = (): void => {
    if (size <= mostBytes) return resolve(kept.length === 1 ? (kept[0] as Buffer) : Buffer.concat(kept));
    payload.pause();
    const most = `${mostBytes / MAX_BODY_BYTES} MiB`;
    reject(new AppError('payload_too_large', `The body is larger than ${most}`));
  };
  payload.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= mostBytes) kept.push(chunk);
    if (size > MAX_DRAINED_BYTES) end();
  });
  payload.on('end', end);
  payload.on('error', () => reject(new AppError('validation_failed', 'The body ended before its time')));
  return promise;
}

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  let text: string;
  try {
    text = UTF_8.decode(body);
  } catch {
    throw unreadable('is not valid UTF-8');
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw unreadable(`is not valid JSON: ${(error as Error).message.slice(0, 200)}`);
  }
  if (parsed === null) throw unreadable('is null');
  const forbidden = /__proto__|\\u/.test(text) ? pathsOfProto(parsed) : [];
  if (forbidden.length > 0) throw invalid(forbidden.map((path) => ({ path, message: UNKNOWN_FIELD })));
  return parsed;
}

function unreadable(message: string): AppError {
  return new AppError('validation_failed', `The body ${message}`, { faults: [{ path: '', message }] });
}

/** Where `__proto__` is a key, at whatever depth; without recursion, for a body may be nested very deeply. */
function pathsOfProto(root: unknown): string[] {
  const found: string[] = [];
  const open: { path: string; value: unknown }[] = [{ path: '', value: root }];
  for (let next = open.pop(); next; next = open.pop()) {
    if (next.value === null || typeof next.value !== 'object') continue;
    for (const [key, value] of Object.entries(next.value)) {
      const path = next.path === '' ? key : `${next.path}.${key}`;
      if (key === '__proto__') found.push(path);
      else open.push({ path, value });
    }
  }
  return found.slice(0, 50);
}
