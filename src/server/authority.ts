import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import { EVERY_TENANT } from '../conversation/log/log.ts';
import { AppError, invalid } from '../errors.ts';
import { type KeyEntry, tenantName } from '../protocol/keys.ts';
import type { Keyring } from '../security/keyring.ts';
import { ANONYMOUS, type Caller, holds } from './caller.ts';
import { sha256 } from './idempotency.ts';
import type { ServerParts } from './parts.ts';
import { asksForWebSocket } from './upgrade.ts';

/** One text for whatever is wrong with a key, so that nobody learns which keys there are or were. */
const UNAUTHORIZED = 'A valid API key is needed: "Authorization: Bearer KEY"';

/** What admission needs. */
type Gate = Pick<ServerParts, 'keyring' | 'tickets'>;

/**
 * Has the routes of a scope let in only who may: each must say in `config.scope` what a key needs for it. Without a
 * keyring everybody may do everything.
 */
export function guardCallers(scope: FastifyInstance, gate: Gate): void {
  scope.addHook('onRequest', (request, reply, done) => {
    const refuse = (error: unknown): void => {
      if ((error as AppError).code === 'unauthorized') reply.header('www-authenticate', 'Bearer');
      done(error as Error);
    };
    const admitted = (entry: KeyEntry | undefined): void => {
      try {
        admit(request, entry, gate);
      } catch (error) {
        return refuse(error);
      }
      done();
    };
    const ticket = ticketIn(request);
    // Only a ticket is waited for: this is a hook of every request.
    if (ticket === undefined || !gate.keyring) admitted(gate.keyring?.find(keyIn(request)));
    else redeemed(ticket, gate).then(admitted, refuse);
  });
}

/**
 * Has the start fail where a route doesn't say what a key needs for it, or says so and stands where nobody asks
 * for one.
 *
 * @returns what notes the scope inside which keys are asked for
 */
export function demandScopes(app: FastifyInstance): (guarded: FastifyInstance) => void {
  const routes: RouteOptions[] = [];
  const guarded = new WeakSet<RouteOptions>();
  app.decorateRequest('caller', null);
  app.addHook('onRoute', (route) => void routes.push(route));
  app.addHook('onReady', (done) => {
    const forgotten = routes.find(
      (route) => !route.config?.scope || (route.config.scope !== 'open' && !guarded.has(route)),
    );
    done(forgotten && new Error(`${String(forgotten.method)} ${forgotten.url} declares no scope of a key`));
  });
  return (scope) => scope.addHook('onRoute', (route) => void guarded.add(route));
}

/** @throws AppError `unauthorized`, `forbidden`, `validation_failed` */
function admit(request: FastifyRequest, entry: KeyEntry | undefined, { keyring }: Gate): void {
  const needed = request.routeOptions.config.scope;
  if (needed === 'open' || request.is404) return;
  if (keyring && !entry) throw new AppError('unauthorized', UNAUTHORIZED);
  const caller = entry ? callerWith(entry) : ANONYMOUS;
  if (needed === undefined || (needed !== 'key' && !holds(caller, needed))) {
    throw new AppError('forbidden', `This needs a key with the scope ${needed}`);
  }
  request.caller = actingFor(caller, request);
}

/** The entry of the key that a ticket was issued to, as it is now. */
async function redeemed(digest: string, { keyring, tickets }: Gate): Promise<KeyEntry | undefined> {
  const holder = await tickets.redeem(digest);
  return holder === undefined ? undefined : keyring?.byDigest(holder);
}

/** Whether a stream may go on: its key may have been taken out, have expired, or have become another. */
export function mayStillRead({ digest, identity }: Caller, keyring: Keyring | undefined): boolean {
  if (!keyring) return true;
  const entry = keyring.byDigest(digest ?? '');
  return entry?.tenant === identity.tenant && holds(entry, 'conversations:read');
}

function callerWith({ name, tenant, scopes, sha256, limits = {} }: KeyEntry): Caller {
  const isAdmin = scopes.includes('admin');
  return {
    key: name,
    digest: sha256,
    tenant,
    reads: isAdmin ? EVERY_TENANT : tenant,
    scopes,
    identity: { name, tenant, scopes, limits },
  };
}

/** The caller as what the request says of tenants makes it; docs/protocol.md, section 8.4. */
function actingFor(caller: Caller, { headers, query }: FastifyRequest): Caller {
  const acting = headers['x-aic-tenant'];
  const narrowed = (query as { tenant?: unknown } | undefined)?.tenant;
  if (acting === undefined && narrowed === undefined) return caller;
  if (!holds(caller, 'admin')) {
    const what = acting === undefined ? 'tenant' : 'X-AIC-Tenant';
    throw new AppError('forbidden', `${what}: only a key with the scope admin may name a tenant`);
  }
  return {
    ...caller,
    ...(acting === undefined ? {} : { tenant: named(acting, 'X-AIC-Tenant') }),
    ...(narrowed === undefined ? {} : { reads: named(narrowed, 'tenant') }),
  };
}

function named(tenant: unknown, path: string): string {
  const { data, error } = tenantName.safeParse(tenant);
  if (error) throw invalid([{ path, message: error.issues[0]?.message ?? 'takes the name of a tenant' }]);
  return data;
}

/** The key that a request brings, from a browser's WebSocket as a subprotocol; docs/protocol.md, section 4.6. */
function keyIn({ headers, raw }: FastifyRequest): string | undefined {
  const { authorization } = headers;
  if (authorization !== undefined) return /^bearer +(\S+) *$/i.exec(authorization)?.[1];
  if (!asksForWebSocket(raw)) return undefined;
  const offered = headers['sec-websocket-protocol'] ?? '';
  return /(?:^|,)\s*bearer\.([^,\s]+)/.exec(offered)?.[1];
}

/** The digest of the ticket that a request brings, where that is what it comes with. */
function ticketIn(request: FastifyRequest): string | undefined {
  const { headers, query, params, routeOptions } = request;
  const { ticket } = query as { ticket?: unknown };
  if (typeof ticket !== 'string' || !routeOptions.config.takesTickets) return undefined;
  if (headers.authorization !== undefined || keyIn(request) !== undefined) return undefined;
  return ticketDigest((params as { id: string }).id, ticket);
}

/** A ticket opens nothing but streams of its conversation, which is therefore part of what it is known by. */
export function ticketDigest(conversationId: string, ticket: string): string {
  return sha256(`${conversationId} ${ticket}`);
}
