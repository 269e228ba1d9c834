import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServerParts } from '../../server/parts.ts';

/** How long answers that are under way get as the server shuts down, in milliseconds. */
const LAST_ANSWERS_MS = 500;

/**
 * The Model Context Protocol over Streamable HTTP, without sessions; docs/protocol.md, section 13.1. What speaks it is
 * loaded with the first request.
 */
export function registerMcpDoor(app: FastifyInstance, parts: ServerParts): void {
  const leaving = new AbortController();
  const underWay = new Set<Promise<unknown>>();
  let loading: ReturnType<typeof load> | undefined;
  const load = async () => {
    const { createHandler, asAuthInfo } = await import('./server.ts');
    return { handler: createHandler(parts), asAuthInfo };
  };

  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/mcp',
    exposeHeadRoute: false,
    // Each tool asks for its own.
    config: { scope: 'key' },
    schema: { hide: true },
    handler: async (request, reply) => {
      loading ??= load();
      const { handler, asAuthInfo } = await loading;
      const gone = new AbortController();
      reply.raw.on('close', () => gone.abort());
      const authInfo = asAuthInfo({ request, leaving: leaving.signal });
      const answer = handler.fetch(webRequest(request, gone.signal), {
        authInfo,
        ...(request.body === undefined ? {} : { parsedBody: request.body }),
      });
      underWay.add(answer);
      try {
        const response = await answer;
        for (const [name, value] of response.headers) reply.header(name, value);
        return await reply.code(response.status).send(response.body ?? undefined);
      } finally {
        underWay.delete(answer);
      }
    },
  });

  app.addHook('preClose', async () => {
    leaving.abort();
    if (loading === undefined) return;
    const late = AbortSignal.timeout(LAST_ANSWERS_MS);
    await Promise.race([
      Promise.allSettled(underWay),
      new Promise((resolve) => late.addEventListener('abort', resolve, { once: true })),
    ]);
    await (await loading).handler.close();
  });
}

/** The request as the web has it; its body was read already. */
function webRequest({ method, url, headers, host }: FastifyRequest, signal: AbortSignal): Request {
  const given = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined || name.startsWith(':') ? [] : [[name, String(value)]],
  );
  return new Request(new URL(url, `http://${host}`), { method, headers: given, signal });
}
