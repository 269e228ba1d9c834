import { Readable } from 'node:stream';
import { type Dispatcher, errors, request } from 'undici';

/** How long what follows the last event of an answer may take, in milliseconds: it is the end of its HTTP message. */
const REST_MS = 1000;
/** How many connections in a row may turn out to be closed: a server closes all that are idle at the same time. */
const MOST_STALE = 4;
/** A request that fails later, in milliseconds, was at work: a busy process hears of a closed connection that late. */
const STALE_WITHIN_MS = 5000;

/**
 * `fetch` for the SDKs of the vendors, which read an answer once and as a stream. Without the web streams of the
 * runtime's own `fetch` a call takes two thirds of the CPU time and of the memory. It is the same client
 * underneath, so that proxies (NODE_USE_ENV_PROXY), time limits, the codes of errors and the traces are the same.
 *
 * It differs in what an SDK doesn't need or users don't want: a redirect is an answer like any other, so that a
 * key goes nowhere but where the configuration says; nothing compressed is asked for; and the connection of an
 * answer that was left at its last event is kept. The body of an answer that is `ok` can be iterated, and nothing
 * else; one that isn't is a `Response` as usual.
 */
export async function fetchStreamed(
  url: string | URL | Request,
  { method, headers, body, signal }: RequestInit = {},
): Promise<Response> {
  const address = url instanceof Request ? url.url : String(url);
  const answer = await requestOnLiveConnection(address, {
    method: method as Dispatcher.HttpMethod,
    headers: ['accept-encoding', 'identity', ...[...new Headers(headers)].flat()],
    body: body as string,
    signal: signal ?? null,
  });
  const { statusCode: status } = answer;
  const shown = headersOf(answer);
  const ok = status >= 200 && status < 300;
  if (!ok)
    return new Response(status === 304 ? null : Readable.toWeb(answer.body), { status, headers: shown });
  // The SDKs' types ask for a whole Response; they use these of a streamed one.
  const streamed = { status, ok, headers: shown, url: address, body: chunksOf(answer) };
  return streamed as unknown as Response;
}

/**
 * A server may close a connection that was kept at the moment at which the next request is on its way, and a busy
 * process hears of it late. Nothing is wrong with the vendor then, so that no circuit is to count it: the request is
 * made again, which RFC 9112 (9.3.1) allows for what may be repeated, as a call of a model may. Only a polite end tells
 * that its connection was kept: a reset (ECONNRESET) is a failure as any other.
 */
async function requestOnLiveConnection(
  ...call: Parameters<typeof request>
): Promise<Dispatcher.ResponseData<unknown>> {
  const startedAt = performance.now();
  for (let stale = 0; ; stale++) {
    try {
      return await request(...call);
    } catch (error) {
      const wasKept = error instanceof errors.SocketError && (error.socket?.bytesRead ?? 0) > 0;
      const isEarly = performance.now() - startedAt < STALE_WITHIN_MS;
      if (!wasKept || !isEarly || stale === MOST_STALE) throw error;
    }
  }
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
