import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';
import { type AddressPolicy, isOwnHost, mayAct } from '../security/addresses.ts';
import { asksForWebSocket } from './upgrade.ts';

/** Methods that change nothing. */
const READING: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
/** What a page may read of an answer besides its body. */
const EXPOSED = [
  'location',
  'idempotency-replayed',
  'retry-after',
  'ratelimit-limit',
  'ratelimit-remaining',
  'ratelimit-reset',
  'www-authenticate',
  'x-request-id',
  'x-aic-conversation-id',
];
/** How long a browser needn't ask again what a page may do, in seconds. */
const PREFLIGHT_SECONDS = 600;

/** Of a header, in characters. */
const MAX_SHOWN = 100;

/**
 * Has the routes of a scope refuse whoever asks by a name that isn't the server's, and pages elsewhere that
 * would act. Pages of allowed origins may read the answers.
 */
export async function guardAddresses(scope: FastifyInstance, policy: AddressPolicy): Promise<void> {
  scope.addHook('onRequest', (request, _reply, done) => done(refusalOf(request, policy)));
  if (policy.allowedOrigins.length === 0) return;
  scope.addHook('onRoute', (route) => {
    // What a page asks before it may ask anything has no key.
    if (route.method === 'OPTIONS') route.config = { ...route.config, scope: 'open' };
  });
  await scope.register(cors, {
    origin: [...policy.allowedOrigins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    exposedHeaders: EXPOSED,
    maxAge: PREFLIGHT_SECONDS,
  });
}

/** What is wrong with where a request comes from and whom it asks; undefined where nothing is. */
export function refusalOf(
  { method, headers, raw }: FastifyRequest,
  policy: AddressPolicy,
): AppError | undefined {
  const { host, origin } = headers;
  if (!isOwnHost(host, policy)) {
    const named =
      host === undefined ? 'nobody is named' : `"${host.slice(0, MAX_SHOWN)}" is no name of this server`;
    return new AppError('misdirected', `Host: ${named}; ALLOWED_HOSTS lists those that are`);
  }
  const acts = !READING.has(method) || asksForWebSocket(raw);
  if (!acts || mayAct(origin, host, policy)) return undefined;
  const page = (origin ?? '').slice(0, MAX_SHOWN);
  return new AppError(
    'forbidden',
    `Origin: pages of ${page} may not do this; ALLOWED_ORIGINS lists those that may`,
  );
}
