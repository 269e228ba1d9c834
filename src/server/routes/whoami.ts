import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { identity } from '../../protocol/keys.ts';
import { problem } from '../../protocol/problem.ts';
import { callerOf } from '../caller.ts';

/** Who asks: the first thing that somebody with a new key wants to know. */
export function registerWhoami(server: FastifyInstance): void {
  server.withTypeProvider<ZodTypeProvider>().get(
    '/whoami',
    {
      config: { scope: 'key' },
      schema: {
        operationId: 'whoami',
        summary: 'Tell whose key this is, and what it may do',
        tags: ['operations'],
        response: { 200: identity, 401: problem },
      },
    },
    (request) => callerOf(request).identity,
  );
}
