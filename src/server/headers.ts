import type { OutgoingHttpHeaders } from 'node:http';
import helmet from '@fastify/helmet';
import fastify, { type FastifyInstance } from 'fastify';

/** What a page of this server may load and do: only what comes from here, and nothing that stands in the page itself. */
const DIRECTIVES = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  'img-src': ["'self'", 'data:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'manifest-src': ["'self'"],
  'form-action': ["'self'"],
  'base-uri': ["'none'"],
  'frame-ancestors': ["'none'"],
};

/** For answers that are given before any route is known, and so before any hook. */
export const SAFE_HEADERS = {
  'content-security-policy': "default-src 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};

/**
 * Has each answer say what browsers may make of it; docs/protocol.md, section 8.9. The plugin is asked once, since it
 * makes the same headers anew, and a promise, for every request.
 */
export async function sendSafeHeaders(app: FastifyInstance): Promise<void> {
  const headers = await headersOfHelmet();
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
}

/** What the plugin adds to an answer that has nothing else. */
async function headersOfHelmet(): Promise<OutgoingHttpHeaders> {
  const asked = fastify();
  await asked.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: DIRECTIVES },
    referrerPolicy: { policy: 'no-referrer' },
    // Whether there is TLS before this server, and for how long, is said where it ends.
    strictTransportSecurity: false,
  });
  asked.get('/', (_request, reply) => reply.code(204).send());
  const { headers } = await asked.inject('/');
  await asked.close();
  const { date: _, connection: __, ...safe } = headers;
  return safe;
}
