import { randomUUID } from 'node:crypto';
import { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify';
import { AppError } from '../errors.ts';
import { guardAddresses, refusalOf } from './addresses.ts';
import { demandScopes, guardCallers, mayStillRead } from './authority.ts';
import { registerBodyParser } from './body.ts';
import { Connections } from './connections.ts';
import { describeRoutes, registerDocs } from './docs.ts';
import { SAFE_HEADERS, sendSafeHeaders } from './headers.ts';
import { refuseUnderPressure } from './load.ts';
import { registerPage } from './page/page.ts';
import type { ServerParts } from './parts.ts';
import { boundPipelining } from './pipelining.ts';
import { registerProblems, sendProblem } from './problem.ts';
import { limitRequests } from './request-limit.ts';
import { registerConversations } from './routes/conversations.ts';
import { registerExport } from './routes/export.ts';
import { registerHands } from './routes/hands.ts';
import { registerImport } from './routes/import.ts';
import { registerKnowledge } from './routes/knowledge.ts';
import { registerHealth, registerOperations } from './routes/operations.ts';
import { registerScenarios } from './routes/scenarios.ts';
import { registerSearch } from './routes/search.ts';
import { registerStreams } from './routes/streams.ts';
import { registerTickets } from './routes/tickets.ts';
import { registerTranscripts } from './routes/transcripts.ts';
import { registerWhoami } from './routes/whoami.ts';
import { asksForWebSocket } from './upgrade.ts';
import { serializerCompiler, validatorCompiler } from './validation.ts';

/** For a whole request to arrive, in milliseconds. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Of a request's headers with its address, which may have a search of 2,000 characters in it; bytes. */
const LONGEST_HEADERS = 32 * 1024;
/** For the head of one to arrive, in milliseconds. */
const HEADERS_TIMEOUT_MS = 10_000;
/** How often those that take longer are looked for, and cut off, in milliseconds. */
const TIMEOUTS_LOOKED_AT_MS = 2000;
/**
 * A connection on which nothing moves for so long is cut off, in milliseconds: its peer takes nothing of its answer.
 * On streams a sign of life moves twice a minute.
 */
const SILENCE_MS = 120_000;
/** What operators ask of a server that is shutting down, too. */
const HEALTH_ROUTES: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz']);
/** Who has not gone this long after the good-bye is cut off, in milliseconds. */
const GOODBYE_MS = 1000;

/**
 * Another way in, over the same use cases as the routes: it registers its own in the scope of all that ask for a key.
 * What it keeps open belongs to the connections, which end with the server.
 */
export type Door = (
  scope: FastifyInstance,
  parts: ServerParts,
  connections: Connections,
) => void | Promise<void>;

/** The HTTP server, ready to listen. Closing it ends all streams with 1001 first. */
export async function buildApp(parts: ServerParts, doors: readonly Door[]): Promise<FastifyInstance> {
  const logger: FastifyBaseLogger = parts.logger.child({ logger: 'http' });
  const app = parts.createFastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => randomUUID(),
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: SILENCE_MS,
    forceCloseConnections: 'idle',
    // What arrives during the shutdown is answered below, with a problem like all other failures.
    return503OnClosing: false,
    http: {
      shouldUpgradeCallback: asksForWebSocket,
      maxHeaderSize: LONGEST_HEADERS,
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUTS_LOOKED_AT_MS,
    },
    frameworkErrors: (error, request, reply) => {
      sendProblem(error, request, reply.headers(SAFE_HEADERS));
    },
  });
  boundPipelining(app);
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  registerBodyParser(app);
  registerProblems(app, (request) => refusalOf(request, parts.addresses));

  await sendSafeHeaders(app);

  let draining = false;
  // Both hooks are of every request and wait for nothing, so they call back instead of making promises.
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    const refused = draining && !HEALTH_ROUTES.has(request.routeOptions.url);
    if (refused) done(new AppError('overloaded', 'The server is shutting down', { retryAfterSeconds: 5 }));
    else done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const { url: route } = request.routeOptions;
    const { statusCode: status } = reply;
    const latency = reply.elapsedTime / 1000;
    // A stream lasts as long as its reader likes.
    parts.metrics.answered({ method, route, status, seconds: request.isStreamed ? undefined : latency });
    const conversation_id = (request.params as { id?: string } | null)?.id;
    request.log.info({ conversation_id, method, route, status, latency }, 'request.completed');
    done();
  });

  const connections = new Connections((caller) => mayStillRead(caller, parts.keyring));
  parts.keyring?.onChange(() => connections.endRefused());
  app.addHook('preClose', async () => {
    draining = true;
    connections.close();
    setTimeout(() => {
      connections.destroy();
      app.server.closeAllConnections();
    }, GOODBYE_MS).unref();
  });

  await describeRoutes(app);
  const isGuarded = demandScopes(app);
  // Who asks how the server is need not know its name.
  registerHealth(app, parts, () => draining);
  await app.register(async (scope) => {
    await guardAddresses(scope, parts.addresses);
    isGuarded(scope);
    await refuseUnderPressure(scope);
    guardCallers(scope, parts);
    if (parts.keyring) await limitRequests(scope, parts.sharedCounts);
    await registerDocs(scope);
    registerPage(scope);
    registerConversations(scope, parts);
    registerHands(scope, parts);
    registerTranscripts(scope, parts);
    registerExport(scope, parts);
    await registerImport(scope, parts);
    registerScenarios(scope, parts);
    await registerKnowledge(scope, parts);
    registerSearch(scope, parts.search);
    await registerStreams(scope, parts, connections, () => draining);
    registerTickets(scope, parts);
    registerOperations(scope, parts);
    registerWhoami(scope);
    for (const door of doors) await door(scope, parts, connections);
  });
  return app;
}
