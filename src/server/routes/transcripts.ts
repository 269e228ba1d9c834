import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { Message } from '../../conversation/log/events.ts';
import type { ConversationRecord, Page } from '../../conversation/log/log.ts';
import { timelineOf } from '../../conversation/log/timeline.ts';
import { eventList, messageList, timeline } from '../../protocol/lists.ts';
import { problem } from '../../protocol/problem.ts';
import { readEvent } from '../../protocol/read-event.ts';
import { idParameter, logQuery, messagesQuery } from '../../protocol/requests.ts';
import type { ServerParts } from '../parts.ts';
import { findConversation } from './conversations.ts';

/** The opening message: what is before the first entry of a timeline. */
const OPENING_SEQ = 2;

/** A page of what was said in a conversation; what is retracted says so. */
export async function messagesOf(
  { catalog }: Pick<ServerParts, 'catalog'>,
  { id, retracted }: Pick<ConversationRecord, 'id' | 'retracted'>,
  { sender, q, limit, cursor }: z.output<typeof messagesQuery>,
): Promise<Page<Message>> {
  const { items, nextCursor } = await catalog.messages(id, { sender, q }, { limit, afterSeq: cursor });
  if (retracted.length === 0) return { items, nextCursor };
  const isRetracted = new Set(retracted);
  return {
    items: items.map((message) => (isRetracted.has(message.seq) ? { ...message, retracted: true } : message)),
    nextCursor,
  };
}

/** What was said, the log as it is, and how the turns went. */
export function registerTranscripts(server: FastifyInstance, parts: ServerParts): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/conversations/:id/messages',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'listMessages',
        summary: 'Read the messages in order',
        tags: ['conversations'],
        params: idParameter,
        querystring: messagesQuery,
        response: {
          200: messageList,
          400: problem,
          404: problem,
        },
      },
    },
    async (request) => {
      return messagesOf(parts, await findConversation(parts, request), request.query);
    },
  );

  app.get(
    '/conversations/:id/log',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'readLog',
        summary: 'Read the log: all events in order',
        tags: ['conversations'],
        params: idParameter,
        querystring: logQuery,
        response: {
          200: eventList,
          400: problem,
          404: problem,
        },
      },
    },
    async (request, reply) => {
      const { limit, cursor } = request.query;
      const { id, lastSeq } = await findConversation(parts, request);
      const entries = await parts.log.readOn(id, cursor, limit);
      const last = entries.at(-1)?.seq ?? lastSeq;
      const nextCursor = last < lastSeq ? `"${last}"` : 'null';
      const items = entries.map(({ json }) => json).join(',');
      reply.header('content-type', 'application/json; charset=utf-8');
      return reply.send(`{"items":[${items}],"nextCursor":${nextCursor}}` as never);
    },
  );

  app.get(
    '/conversations/:id/timeline',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'readTimeline',
        summary: 'Read how the turns went: who, how long, how many tries, what it cost',
        tags: ['conversations'],
        params: idParameter,
        querystring: logQuery,
        response: {
          200: timeline,
          400: problem,
          404: problem,
        },
      },
    },
    async (request) => {
      const { limit, cursor } = request.query;
      const { id, lastSeq } = await findConversation(parts, request);
      const after = Math.max(cursor, OPENING_SEQ);
      const [before] = await parts.log.readOn(id, after - 1, 1);
      const entries = before ? await parts.log.readOn(id, after, limit) : [];
      const events = entries.map(({ json }) => readEvent(json));
      const last = events.at(-1)?.seq ?? lastSeq;
      return {
        items: before ? timelineOf(readEvent(before.json).at, events) : [],
        nextCursor: last < lastSeq ? String(last) : null,
      };
    },
  );
}
