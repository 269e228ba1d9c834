import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { notFound } from '../../errors.ts';
import type { PageFile } from './files.ts';

/**
 * Nothing inline, nothing from elsewhere, and no text becomes markup: https://www.w3.org/TR/CSP3/,
 * https://www.w3.org/TR/trusted-types/. The page's own streams are `'self'` too; `relay` names one script, a worker's.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types relay',
].join('; ');

/** Their names say what is in them. */
const FOR_EVER = 'public, max-age=31536000, immutable';

/** The addresses that the page shows something at; it looks itself what that is. */
const VIEWS = ['/', '/c/:id', '/compare', '/vendors'];

/** The page: one document at each of its addresses, and the files that it asks for. */
export function registerPage(app: FastifyInstance): void {
  let reading: Promise<ReadonlyMap<string, PageFile>> | undefined;

  async function fileAt(path: string): Promise<PageFile> {
    // Only who asks for the page pays for it.
    reading ??= import('./files.ts').then(({ readPage }) => readPage());
    const files = await reading.catch((error: unknown) => {
      reading = undefined;
      app.log.error({ error }, 'page.not_built');
      throw notFound('The page is not built here: `npm ci` builds it');
    });
    const file = files.get(path);
    if (!file) throw notFound('The page has no such file');
    return file;
  }

  const options = { schema: { hide: true }, config: { scope: 'open' } } as const;
  for (const view of VIEWS) {
    app.get(view, options, async (request, reply) => {
      reply.header('content-security-policy', POLICY);
      reply.header('cross-origin-opener-policy', 'same-origin');
      return send(request, reply, await fileAt('index.html'), 'no-cache');
    });
  }
  app.get<{ Params: { file: string } }>('/assets/:file', options, async (request, reply) =>
    send(request, reply, await fileAt(`assets/${request.params.file}`), FOR_EVER),
  );
}

function send(
  { headers }: FastifyRequest,
  reply: FastifyReply,
  { body, brotli, type, etag }: PageFile,
  caching: string,
): FastifyReply {
  reply.headers({
    'cache-control': caching,
    etag,
    vary: 'accept-encoding',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  });
  if (headers['if-none-match'] === etag) return reply.code(304).send();
  reply.type(type);
  const takesBrotli = /\bbr\b/.test(headers['accept-encoding'] ?? '');
  return brotli && takesBrotli ? reply.header('content-encoding', 'br').send(brotli) : reply.send(body);
}
