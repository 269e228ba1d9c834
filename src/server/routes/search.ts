import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { TenantScope } from '../../conversation/log/log.ts';
import { parseQuery } from '../../conversation/search/query.ts';
import type { MessageSearch } from '../../conversation/search/search.ts';
import { searchList } from '../../protocol/lists.ts';
import { problem } from '../../protocol/problem.ts';
import { labelsIn, searchQuery } from '../../protocol/requests.ts';
import { callerOf } from '../caller.ts';

/** Messages of all conversations by their words; docs/protocol.md, section 2.8. */
export function registerSearch(server: FastifyInstance, search: MessageSearch): void {
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.get(
    '/search',
    {
      config: { scope: 'conversations:read' },
      schema: {
        operationId: 'searchMessages',
        summary: 'Find messages of all conversations by their words',
        description:
          'All words of `q` must occur, whatever their case and accents; `"a phrase"` as it stands, `word*` as a ' +
          'beginning. Best match first, then newest.',
        tags: ['conversations'],
        querystring: searchQuery,
        response: { 200: searchList, 400: problem, 503: problem },
      },
    },
    async (request, reply) => {
      return await found(search, callerOf(request).reads, request.query, goneWith(reply));
    },
  );
}

/** What a query finds, as it is answered. */
export async function found(
  search: MessageSearch,
  reads: TenantScope,
  asked: z.output<typeof searchQuery>,
  signal: AbortSignal,
) {
  const { q, sender, createdAfter, createdBefore, limit, cursor } = asked;
  const query = { terms: parseQuery(q), sender, createdAfter, createdBefore, labels: labelsIn(asked) };
  const { items, nextCursor, isIncomplete } = await search.search(reads, query, { limit, cursor }, signal);
  return { items, nextCursor, ...(isIncomplete ? { incomplete: true } : {}) };
}

/** Aborted when who asked has gone. */
function goneWith(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableEnded) gone.abort();
  });
  return gone.signal;
}
