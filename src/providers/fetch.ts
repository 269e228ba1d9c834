import { Readable } from 'node:stream';
import { Agent, type Dispatcher, EnvHttpProxyAgent, errors, request } from 'undici';
import type { GenerateRequest } from '../conversation/turn/provider.ts';
import { bodyOf } from './events.ts';

/** How long what follows the last event of an answer may take, in milliseconds: it is the end of its HTTP message. */
const REST_MS = 1000;
/** A request that fails later, in milliseconds, was at work: a busy process hears of a closed connection that late. */
const STALE_WITHIN_MS = 5000;

/** How a vendor's whole answer, as it is without streaming, would have been streamed; undefined where it is none. */
export type AsEvents = (whole: unknown) => readonly unknown[] | undefined;

/** What a call may be given besides what `fetch` knows. */
type CallHooks = Pick<GenerateRequest, 'onRepeated'>;

/** The hooks of a request, for the SDKs' `fetchOptions`, which come to `fetchStreamed` as they are. */
export function hooksOf({
  onRepeated,
}: CallHooks): Partial<Record<'body' | 'headers' | 'method' | 'signal', never>> {
  return { onRepeated } as object;
}

/**
 * `fetch` for the SDKs of the vendors, which read an answer once and as a stream. Without the web streams of the
 * runtime's own `fetch` a call takes two thirds of the CPU time and of the memory. It is the same client
 * underneath, so that proxies (NODE_USE_ENV_PROXY), time limits, the codes of errors and the traces are the same.
 *
 * It differs in what an SDK doesn't need or users don't want: a redirect is an answer like any other, so that a
 * key goes nowhere but where the configuration says; nothing compressed is asked for; and the connection of an
 * answer that was left at its last event is kept. The body of an answer that is `ok` can be iterated, and nothing
 * else; one that isn't is a `Response` as usual. What comes with status 200 and is no stream is read as what it is:
 * a whole answer, or an error.
 */
export function fetchStreamed(asEvents: AsEvents) {
  return async (
    url: string | URL | Request,
    { method, headers, body, signal, onRepeated }: RequestInit & CallHooks = {},
  ): Promise<Response> => {
    const address = url instanceof Request ? url.url : String(url);
    const answer = await requestOnLiveConnection(onRepeated, address, {
      method: method as Dispatcher.HttpMethod,
      headers: ['accept-encoding', 'identity', ...[...new Headers(headers)].flat()],
      body: body as string,
      signal: signal ?? null,
    });
    const { statusCode: status } = answer;
    const shown = headersOf(answer);
    const ok = status >= 200 && status < 300;
    if (!ok) {
      return new Response(status === 304 ? null : Readable.toWeb(answer.body), { status, headers: shown });
    }
    const read = await bodyOf(chunksOf(answer));
    if (read.kind === 'events') return streamed(address, status, shown, read.bytes);
    const events = asEvents(read.json);
    if (!events) return new Response(read.text, { status: statusIn(read.json), headers: shown });
    return streamed(address, status, shown, eventsOf(events));
  };
}

/** The SDKs' types ask for a whole Response; they use these of a streamed one. */
function streamed(url: string, status: number, headers: Headers, body: AsyncGenerator<Uint8Array>): Response {
  return { status, ok: true, headers, url, body } as unknown as Response;
}

async function* eventsOf(events: readonly unknown[]): AsyncGenerator<Uint8Array> {
  for (const event of events) {
    const type = (event as { type?: unknown }).type;
    const name = typeof type === 'string' ? `event: ${type}\n` : '';
    yield Buffer.from(`${name}data: ${JSON.stringify(event)}\n\n`);
  }
}

/** The status that an error with status 200 should have had: its own words' one, or that of a wrong request. */
function statusIn(whole: unknown): number {
  const error: unknown = Object(whole)['error'];
  const text = JSON.stringify(whole);
  const codes = [whole, error].flatMap((value) =>
    ['status', 'code', 'statusCode'].map((name) => Object(value)[name]),
  );
  const told = codes.map(Number).find((code) => Number.isInteger(code) && code >= 400 && code < 600);
  if (told !== undefined) return told;
  return /unexpected endpoint|unknown (?:endpoint|path|url)|\bmodel\b.{0,100}\bnot found/i.test(text)
    ? 404
    : 400;
}

/**
 * A server may close a connection that was kept at the moment at which the next request is on its way, and a busy
 * process hears of it late. Nothing is wrong with the vendor then, so that no circuit is to count it: the request is
 * made again, which RFC 9112 (9.3.1) allows for what may be repeated, as a call of a model may. Only a polite end tells
 * that its connection was kept: a reset (ECONNRESET) is a failure as any other. Once is enough, since the second goes
 * over a connection of its own: docs/decisions/0024-repeated-calls.md.
 */
async function requestOnLiveConnection(
  onRepeated: (() => void) | undefined,
  address: string,
  options: Parameters<typeof request>[1],
): Promise<Dispatcher.ResponseData<unknown>> {
  const startedAt = performance.now();
  try {
    return await request(address, options);
  } catch (error) {
    const wasKept = error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0;
    if (!wasKept || performance.now() - startedAt >= STALE_WITHIN_MS) throw error;
    onRepeated?.();
    // All that are idle are closed at the same time, so that another kept one would be no better.
    return await request(address, { ...options, dispatcher: fresh() });
  }
}

let freshDispatcher: Dispatcher | undefined;

/** Connects anew for each call, through the proxy where there is one. */
function fresh(): Dispatcher {
  const isProxied = process.env['NODE_USE_ENV_PROXY'] === '1';
  freshDispatcher ??= isProxied ? new EnvHttpProxyAgent({ pipelining: 0 }) : new Agent({ pipelining: 0 });
  return freshDispatcher;
}

function headersOf({ headers }: Dispatcher.ResponseData<unknown>): Headers {
  const shown = new Headers();
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) shown.append(name, value ?? '');
  }
  return shown;
}

/**
 * The pieces of a body. Whoever stops reading leaves the rest, most often nothing but the end of the message, to
 * be read and thrown away within a bound, after which the connection serves the next call. The signal of the
 * request ends it at once.
 */
async function* chunksOf({ body }: Dispatcher.ResponseData<unknown>): AsyncGenerator<Uint8Array> {
  try {
    yield* body.iterator({ destroyOnReturn: false });
  } finally {
    if (!body.readableEnded) {
      const signal = AbortSignal.timeout(REST_MS);
      body.dump({ limit: Number.MAX_SAFE_INTEGER, signal }).catch(() => undefined);
    }
  }
}
