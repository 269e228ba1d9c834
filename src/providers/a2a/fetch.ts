import { Agent, type Dispatcher, EnvHttpProxyAgent, fetch } from 'undici';
import { ProviderError } from '../../conversation/turn/provider.ts';
import { AddressRefused, guardAddresses } from '../../security/outgoing.ts';

/** The most of an answer that is read as a whole, and of one that tells a failure, in bytes. */
const MOST_WHOLE = 8 * 1024 * 1024;
const MOST_FAILURE = 64 * 1024;
const EVENTS = 'text/event-stream';
/** The signal of a call bounds it; no connection is kept, so that each is to an address that was judged. */
const DISPATCHER = { pipelining: 0, headersTimeout: 0, bodyTimeout: 0 };

/** An answer with a status that is no success, in the form that `classify` reads. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure';
  readonly status: number;
  readonly headers: Headers;
  readonly error: unknown;

  constructor(status: number, headers: Headers, error: unknown) {
    super();
    this.status = status;
    this.headers = headers;
    this.error = error;
  }
}

/**
 * `fetch` for one remote agent. The configuration says where it is; its own card may name another host for its
 * calls, but an agent of the internet leads to no address of this machine or its neighbours, nor from https to http.
 * Redirects are failures, nothing whole is read beyond MOST_WHOLE, and one JSON answer is as good as a stream of it.
 */
export function agentFetch(base: string): typeof globalThis.fetch {
  const own = new URL(base);
  const guard = guardAddresses(false);
  const isProxied = process.env['NODE_USE_ENV_PROXY'] === '1';
  const direct: Dispatcher = isProxied ? new EnvHttpProxyAgent(DISPATCHER) : new Agent(DISPATCHER);
  const guarded: Dispatcher = isProxied
    ? direct
    : new Agent({ ...DISPATCHER, connect: { lookup: guard.lookup } });

  async function dispatcherTo(url: URL): Promise<Dispatcher> {
    if (url.hostname === own.hostname && (url.protocol === own.protocol || url.protocol === 'https:')) {
      return direct;
    }
    if (own.protocol === 'https:' && url.protocol !== 'https:') {
      throw refused('leads from https to an address without it');
    }
    // Who is within the network may name others there.
    if (await isRefused(own.href)) return direct;
    if (await isRefused(url.href)) throw refused('leads to an address that is not public');
    return guarded;
  }

  async function isRefused(url: string): Promise<boolean> {
    try {
      await guard.assertAllowed(url);
      return false;
    } catch (error) {
      if (error instanceof AddressRefused) return true;
      throw error;
    }
  }

  return async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const response = await fetch(url, {
      ...(init as object),
      redirect: 'manual',
      dispatcher: await dispatcherTo(url),
    });
    if (!response.ok) throw await failureOf(response);
    const wantsEvents = new Headers(init.headers).get('accept') === EVENTS;
    const isEvents = response.headers.get('content-type')?.startsWith(EVENTS) ?? false;
    if (wantsEvents && isEvents) return response;
    const text = await textOf(response, MOST_WHOLE);
    const json = parsed(text);
    return wantsEvents
      ? new Response(`data: ${JSON.stringify(json)}\n\n`, { headers: { 'content-type': EVENTS } })
      : Response.json(json);
  };
}

function refused(why: string): ProviderError {
  return new ProviderError('not_found', `The agent's card ${why}`);
}

async function failureOf(response: Response): Promise<HttpFailure> {
  const text = await textOf(response, MOST_FAILURE).catch(() => '');
  let error: unknown = text === '' ? undefined : text;
  try {
    error = JSON.parse(text);
  } catch {
    // Not JSON: its words are all there is.
  }
  // Of the runtime's own kind, which is not this fetch's.
  return new HttpFailure(response.status, new Headers([...response.headers]), error);
}

/** @throws ProviderError `malformed` where it is no JSON */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const what = text.trimStart().startsWith('<') ? 'a web page' : 'something else';
    throw new ProviderError('malformed', `The agent answered with ${what} instead of JSON`);
  }
}

/** @throws ProviderError `malformed` where it is longer */
async function textOf(response: Response, most: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of response.body ?? []) {
    length += piece.length;
    if (length > most) {
      throw new ProviderError('malformed', `The agent's answer has more than ${most} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}
