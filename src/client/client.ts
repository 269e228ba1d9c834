import type { WebSocketClass } from './connection.ts';
import { type Download, downloadOf, type ExportFormat } from './download.ts';
import { ConnectionError, problemOf } from './failures.ts';
import { type KnowledgeClient, knowledgeClient } from './knowledge.ts';
import type { KeyedOptions, RequestOptions } from './options.ts';
import { conversation, query, scenario, webhook } from './paths.ts';
import { type StreamOptions, type StreamSource, streamFrames } from './stream.ts';
import type {
  ApprovalRequest,
  Conversation,
  ConversationEvent,
  ConversationRequest,
  ConversationsQuery,
  ExportedConversation,
  ForkRequest,
  Identity,
  LogQuery,
  MadeWebhook,
  Message,
  MessagesQuery,
  Page,
  PauseRequest,
  ProviderStatus,
  RetractRequest,
  SayRequest,
  Scenario,
  ScenarioRequest,
  SearchQuery,
  SearchResult,
  StreamFrame,
  Ticket,
  TimelineEntry,
  Webhook,
  WebhookRequest,
  WebhookWithDeliveries,
} from './types.ts';

export interface ClientOptions {
  /** Where the server is, `http://127.0.0.1:8080`; a path is kept, for a server behind a prefix. */
  baseUrl: string;
  apiKey?: string | undefined;
  /** The global ones if not said. */
  fetch?: typeof globalThis.fetch;
  WebSocket?: WebSocketClass;
}

/**
 * The HTTP interface, one method for each route. Every method throws ProblemError where the server
 * refuses, ConnectionError where no usable answer comes within 30 s, and the signal's reason when that
 * is aborted.
 */
export interface Client extends KnowledgeClient {
  /** The same `idempotencyKey` and request within 24 h give the same conversation. */
  createConversation(request: ConversationRequest, options?: KeyedOptions): Promise<Conversation>;
  getConversation(id: string, options?: RequestOptions): Promise<Conversation>;
  /** Newest first. */
  listConversations(query?: ConversationsQuery, options?: RequestOptions): Promise<Page<Conversation>>;
  /** Messages of all conversations by their words, the best match first. */
  search(query: SearchQuery, options?: RequestOptions): Promise<SearchResult>;
  /** In order. */
  messages(id: string, query?: MessagesQuery, options?: RequestOptions): Promise<Page<Message>>;
  /** In order; it may hold types of events that this client doesn't know. */
  log(id: string, page?: LogQuery, options?: RequestOptions): Promise<Page<ConversationEvent>>;
  /** How the turns went, in order. */
  timeline(id: string, page?: LogQuery, options?: RequestOptions): Promise<Page<TimelineEntry>>;
  /** The whole conversation as a download; `json` if not said. */
  export(id: string, format?: ExportFormat, options?: RequestOptions): Promise<Download>;
  /** Takes a conversation in that was exported as `json`; with its events alone, one that was as `jsonl`. */
  import(exported: ExportedConversation, options?: RequestOptions): Promise<Conversation>;
  /** Ends a conversation; one that has ended stays as it is. */
  terminate(id: string, detail?: string, options?: RequestOptions): Promise<Conversation>;
  /** The turn under way is still spoken, or with `now` cut off. */
  pause(id: string, request?: PauseRequest, options?: RequestOptions): Promise<Conversation>;
  resume(id: string, options?: RequestOptions): Promise<Conversation>;
  /** As a person who watches, as the moderator, or as the human agent that is waited for. */
  say(id: string, request: SayRequest, options?: KeyedOptions): Promise<Message>;
  /** Has an agent speak next, once. */
  next(id: string, agent: string, options?: RequestOptions): Promise<Conversation>;
  /** Takes a message out of what agents are shown. */
  retract(id: string, request: RetractRequest, options?: RequestOptions): Promise<Message>;
  /** Decides about a reply that is held back. */
  approve(id: string, request: ApprovalRequest, options?: RequestOptions): Promise<Conversation>;
  /** Goes on from a message as another conversation. */
  fork(id: string, request?: ForkRequest, options?: KeyedOptions): Promise<Conversation>;
  deleteConversation(id: string, options?: RequestOptions): Promise<void>;
  providers(options?: RequestOptions): Promise<Page<ProviderStatus>>;
  /** Who asks, and what that may. */
  whoami(options?: RequestOptions): Promise<Identity>;
  /** Opens one stream of a conversation, once and soon, where no key can be sent. */
  createTicket(id: string, options?: RequestOptions): Promise<Ticket>;
  /** Those that are built in, then the tenant's own. */
  scenarios(options?: RequestOptions): Promise<Page<Scenario>>;
  getScenario(name: string, options?: RequestOptions): Promise<Scenario>;
  /** Keeps a scenario of one's own under this name. */
  putScenario(name: string, request: ScenarioRequest, options?: RequestOptions): Promise<Scenario>;
  deleteScenario(name: string, options?: RequestOptions): Promise<void>;
  /** The answer has the secret, this once. */
  createWebhook(request: WebhookRequest, options?: RequestOptions): Promise<MadeWebhook>;
  webhooks(page?: { limit?: number; cursor?: string }, options?: RequestOptions): Promise<Page<Webhook>>;
  /** With its last deliveries. */
  webhook(id: string, options?: RequestOptions): Promise<WebhookWithDeliveries>;
  deleteWebhook(id: string, options?: RequestOptions): Promise<void>;
  testWebhook(id: string, options?: RequestOptions): Promise<void>;
  /** Tells it everything again that happened since a time. */
  replayWebhook(id: string, since: string, options?: RequestOptions): Promise<void>;
  /** The secret before the new one signs, too, for 24 hours. */
  rotateWebhook(id: string, options?: RequestOptions): Promise<MadeWebhook>;
  /** The conversation as it happens; see streamFrames. */
  watch(id: string, options?: StreamOptions): AsyncGenerator<StreamFrame, void, undefined>;
}

const ANSWER_WITHIN = 30_000;

/** RFC 6455: a subprotocol is an HTTP token, and a browser can send the key in no other way. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * A client of one server. It holds no connection of its own, and runs in browsers and in Node.
 *
 * @throws TypeError where `baseUrl` is no http address, or the key can't stand in a header.
 */
export function createClient({ baseUrl, apiKey, ...given }: ClientOptions): Client {
  const { fetch = globalThis.fetch, WebSocket = globalThis.WebSocket } = given;
  const { protocol, origin, pathname } = new URL(baseUrl);
  if (!/^https?:$/.test(protocol)) throw new TypeError(`an address begins with http, not ${protocol}`);
  if (apiKey !== undefined && !/^[!-~]+$/.test(apiKey)) {
    throw new TypeError('an API key has printable ASCII characters and no space');
  }
  const base = origin + pathname.replace(/\/+$/, '');

  async function send(method: string, path: string, request: Sending = {}): Promise<Response> {
    const { body, headers, signal, isLong = false } = request;
    // What is downloaded takes as long as it takes, once it comes.
    const download = isLong ? new AbortController() : undefined;
    const timer = download && setTimeout(() => download.abort(), ANSWER_WITHIN);
    const patience = download?.signal ?? AbortSignal.timeout(ANSWER_WITHIN);
    let response: Response;
    try {
      response = await fetch(base + path, {
        method,
        headers: {
          accept: 'application/json',
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
          // A form says what it is, and where its parts end, by itself.
          ...(body === undefined || body instanceof FormData ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: body instanceof FormData ? body : JSON.stringify(body) }),
        signal: AbortSignal.any([patience, ...(signal ? [signal] : [])]),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new ConnectionError(`${base} does not answer`, { cause });
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  async function receive<T>(method: string, path: string, request: Sending = {}): Promise<T> {
    const response = await send(method, path, request);
    try {
      const answer: T = JSON.parse(await response.text());
      return answer;
    } catch (cause) {
      request.signal?.throwIfAborted();
      throw new ConnectionError(`${base} answers, but not as this server does`, { cause });
    }
  }

  function post<T>(path: string, body: unknown, { idempotencyKey, signal }: KeyedOptions = {}): Promise<T> {
    const headers = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
    return receive('POST', path, { ...(body === undefined ? {} : { body }), headers, signal });
  }

  const streamSource = (id: string): StreamSource => {
    if (apiKey !== undefined && !TOKEN.test(apiKey)) {
      throw new TypeError('this API key has characters that a WebSocket can not carry');
    }
    return {
      WebSocket,
      protocols: apiKey === undefined ? ['aic.v1'] : ['aic.v1', `bearer.${apiKey}`],
      address: (after) => base.replace(/^http/, 'ws') + conversation(id) + '/stream' + query({ after }),
      async refusal(after, signal) {
        const enough = new AbortController();
        try {
          // Only the same stream over HTTP looks at the cursor as well; its headers are all that is read.
          const bounds = AbortSignal.any([enough.signal, ...(signal ? [signal] : [])]);
          const events = { path: '/events' + query({ after }), headers: { accept: 'text/event-stream' } };
          const { path, headers } = after === undefined ? { path: '', headers: {} } : events;
          await send('GET', conversation(id) + path, { headers, signal: bounds });
          return undefined;
        } catch (error) {
          return error;
        } finally {
          enough.abort();
        }
      },
    };
  };

  return {
    createConversation: (request, options) => post('/conversations', request, options),
    getConversation: (id, options) => receive('GET', conversation(id), options),
    listConversations: (filter, options) => receive('GET', `/conversations${query(filter)}`, options),
    search: (wanted, options) => receive('GET', `/search${query(wanted)}`, options),
    messages: (id, filter, options) =>
      receive('GET', `${conversation(id)}/messages${query(filter)}`, options),
    log: (id, page, options) => receive('GET', `${conversation(id)}/log${query(page)}`, options),
    timeline: (id, page, options) => receive('GET', `${conversation(id)}/timeline${query(page)}`, options),
    async export(id, format, options) {
      const path = `${conversation(id)}/export${query({ format })}`;
      return downloadOf(
        await send('GET', path, {
          ...options,
          headers: { accept: '*/*' },
          isLong: true,
        }),
      );
    },
    import: (exported, options) => post('/conversations/import', exported, options),
    terminate: (id, detail, options) =>
      post(`${conversation(id)}/terminate`, detail === undefined ? undefined : { detail }, options),
    pause: (id, request, options) => post(`${conversation(id)}/pause`, request, options),
    resume: (id, options) => post(`${conversation(id)}/resume`, undefined, options),
    say: (id, request, options) => post(`${conversation(id)}/messages`, request, options),
    next: (id, agent, options) => post(`${conversation(id)}/next`, { agent }, options),
    retract: (id, request, options) => post(`${conversation(id)}/retract`, request, options),
    approve: (id, request, options) => post(`${conversation(id)}/approval`, request, options),
    fork: (id, request, options) => post(`${conversation(id)}/fork`, request, options),
    async deleteConversation(id, options) {
      await send('DELETE', conversation(id), options);
    },
    providers: (options) => receive('GET', '/providers', options),
    whoami: (options) => receive('GET', '/whoami', options),
    createTicket: (id, options) => post(`${conversation(id)}/tickets`, undefined, options),
    scenarios: (options) => receive('GET', '/scenarios', options),
    getScenario: (name, options) => receive('GET', scenario(name), options),
    putScenario: (name, request, options) => receive('PUT', scenario(name), { body: request, ...options }),
    async deleteScenario(name, options) {
      await send('DELETE', scenario(name), options);
    },
    createWebhook: (request, options) => post('/webhooks', request, options),
    webhooks: (page, options) => receive('GET', `/webhooks${query(page)}`, options),
    webhook: (id, options) => receive('GET', webhook(id), options),
    async deleteWebhook(id, options) {
      await send('DELETE', webhook(id), options);
    },
    async testWebhook(id, options) {
      await send('POST', `${webhook(id)}/test`, options);
    },
    async replayWebhook(id, since, options) {
      await send('POST', `${webhook(id)}/replay`, { ...options, body: { since } });
    },
    rotateWebhook: (id, options) => post(`${webhook(id)}/rotate`, undefined, options),
    ...knowledgeClient({
      receive,
      post,
      query,
      remove: async (path, options) => {
        await send('DELETE', path, options);
      },
    }),
    watch: (id, options) => streamFrames(streamSource(id), options),
  };
}

interface Sending extends RequestOptions {
  /** Whether the answer may take long to come to its end. */
  isLong?: boolean;
  body?: unknown;
  headers?: Record<string, string>;
}
