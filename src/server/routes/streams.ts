import websocket from '@fastify/websocket';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { ConversationRecord } from '../../conversation/log/log.ts';
import { BEGINNING, type Cursor, parseCursor, stands } from '../../conversation/stream/cursor.ts';
import { streamConversation } from '../../conversation/stream/stream.ts';
import { AppError, invalid } from '../../errors.ts';
import type { StreamTally } from '../../observability/metrics-streams.ts';
import { problem } from '../../protocol/problem.ts';
import { idParameter, streamQuery } from '../../protocol/requests.ts';
import { callerOf } from '../caller.ts';
import {
  type Connection,
  type Connections,
  eventStreamConnection,
  webSocketConnection,
} from '../connections.ts';
import type { ServerParts } from '../parts.ts';
import { takeStreamPlace } from '../stream-places.ts';
import { asksForWebSocket } from '../upgrade.ts';
import { findConversation } from './conversations.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Where the stream that this request asks for begins. */
    streamFrom: { conversation: ConversationRecord; cursor: Cursor } | null;
    /** Whether its answer is a stream. */
    isStreamed: boolean;
  }
}

/** What a client may offer besides `bearer.KEY`; docs/protocol.md, section 4.6. */
const SUBPROTOCOL = 'aic.v1';
/** Readers have nothing to say; a larger message closes the connection. */
const MAX_INBOUND_BYTES = 4096;

const DESCRIPTION =
  'Without `after` it starts at the first event; with it, right behind that cursor, also inside a turn. ' +
  'Frames: the events of the log, and between them `turn.started`, `turn.delta` and `turn.failed`.';

/** Conversations to watch: WebSocket and Server-Sent Events, with the same frames. */
export async function registerStreams(
  server: FastifyInstance,
  parts: ServerParts,
  connections: Connections,
  isDraining: () => boolean,
): Promise<void> {
  await server.register(websocket, {
    options: {
      maxPayload: MAX_INBOUND_BYTES,
      perMessageDeflate: false,
      autoPong: false,
      handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
    },
    // What a peer does against RFC 6455 has been answered with the close code that stands for it.
    errorHandler: (_error, socket) => {
      if (socket.readyState === socket.OPEN) socket.terminate();
    },
    // Connections are ended by their registry, with a code that tells readers to come back.
    preClose: (done) => done(),
  });
  server.decorateRequest('streamFrom', null);
  server.decorateRequest('isStreamed', false);
  const app = server.withTypeProvider<ZodTypeProvider>();

  /** Runs before an upgrade, so that who may not read gets an HTTP answer. */
  async function locate(
    request: FastifyRequest<{ Params: { id: string }; Querystring: { after?: string | undefined } }>,
    reply: FastifyReply,
  ): Promise<void> {
    if (isDraining()) {
      throw new AppError('overloaded', 'The server is shutting down', { retryAfterSeconds: 5 });
    }
    const conversation = await findConversation(parts, request);
    const { after } = request.query;
    // Where events may be lost, a reader that comes back from beyond the end is told that its own are.
    const lastSeq = parts.logIsLossy ? Infinity : conversation.lastSeq;
    const cursor = after === undefined ? BEGINNING : parseCursor(after, conversation.id, lastSeq);
    request.streamFrom = { conversation, cursor };
    // An upgraded connection outlives its answer.
    await takeStreamPlace(parts, request, asksForWebSocket(request.raw) ? request.raw.socket : reply.raw);
  }

  async function serve(
    connection: Connection,
    tally: StreamTally,
    request: FastifyRequest,
    gone: AbortSignal,
  ): Promise<void> {
    const { streamFrom } = request;
    if (!streamFrom) throw new Error('a stream was served before it was located');
    const { conversation, cursor } = streamFrom;
    request.isStreamed = true;
    if (gone.aborted) return;
    connections.add(connection, callerOf(request));
    tally.open++;
    if (cursor !== BEGINNING) tally.resumes++;
    gone.addEventListener(
      'abort',
      () => {
        connections.delete(connection);
        tally.open--;
      },
      { once: true },
    );
    try {
      const end = await streamConversation(parts, conversation.id, cursor, connection, gone);
      if (end === 'too_slow') {
        tally.slowCloses++;
        tally.droppedTooSlow++;
      }
      if (end !== 'closed') connection.end(end);
    } catch (error) {
      const fields = { conversation_id: conversation.id, error };
      request.log.error(fields, 'stream.failed');
      connection.end('failed');
    }
  }

  app.route({
    method: 'GET',
    url: '/conversations/:id/stream',
    exposeHeadRoute: false,
    config: { scope: 'conversations:read', takesTickets: true },
    schema: {
      operationId: 'streamConversation',
      summary: 'Watch a conversation over a WebSocket',
      description: `${DESCRIPTION} It needs a WebSocket; from here, try the events instead.`,
      tags: ['streams'],
      params: idParameter,
      querystring: streamQuery,
      response: {
        101: z.undefined().meta({ description: 'The WebSocket is open.' }),
        200: z.undefined().meta({
          description: 'It is open over HTTP/2, where a proxy speaks that (RFC 8441).',
        }),
        400: problem,
        404: problem,
        503: problem,
      },
    },
    preHandler: locate,
    handler: async () => {
      throw invalid([{ path: 'Upgrade', message: 'takes websocket; /events has the same frames over HTTP' }]);
    },
    wsHandler: async (socket, request) => {
      const gone = new AbortController();
      socket.on('close', () => gone.abort());
      const tally = parts.metrics.streams.websocket;
      const connection = webSocketConnection(socket, request.raw.socket, tally);
      await serve(connection, tally, request, gone.signal);
    },
  });

  app.route({
    method: 'GET',
    url: '/conversations/:id/events',
    exposeHeadRoute: false,
    config: { scope: 'conversations:read', takesTickets: true },
    schema: {
      operationId: 'conversationEvents',
      summary: 'Watch a conversation as Server-Sent Events',
      description: DESCRIPTION,
      tags: ['streams'],
      params: idParameter,
      querystring: streamQuery,
      headers: z.object({ 'last-event-id': z.string().optional() }),
      produces: ['text/event-stream'],
      response: {
        200: z.string().meta({ description: 'Frames, each with its cursor as its id' }),
        204: z.undefined().meta({ description: 'All was read, and the conversation has ended.' }),
        400: problem,
        404: problem,
        503: problem,
      },
    },
    preHandler: async (request, reply) => {
      const lastEventId = request.headers['last-event-id'];
      if (lastEventId) request.query.after = lastEventId;
      await locate(request, reply);
      const { conversation, cursor } = request.streamFrom ?? {};
      if (conversation?.status !== 'terminated' || cursor?.seq !== conversation.lastSeq) return;
      // So that an EventSource stops.
      if (await stands(parts.log, conversation.id, cursor)) return reply.code(204).send();
    },
    handler: async (request, reply) => serveEvents(request, reply),
  });

  async function serveEvents(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    reply.hijack();
    const gone = new AbortController();
    reply.raw.on('close', () => gone.abort());
    reply.raw.on('error', () => gone.abort());
    if (reply.raw.destroyed) gone.abort();
    // What the hooks have set, among it which pages may read it.
    for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value ?? '');
    reply.raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // nginx holds back what it gets from a server unless it is told not to.
      'x-accel-buffering': 'no',
    });
    reply.raw.flushHeaders();
    const tally = parts.metrics.streams.sse;
    const { id } = request.params as { id: string };
    const connection = eventStreamConnection(reply.raw, id, tally);
    await serve(connection, tally, request, gone.signal);
  }
}
