import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type FastifyInstance, fastify } from 'fastify';
import packageJson from '../package.json' with { type: 'json' };
import { openBackend } from './backends/open.ts';
import { type Config, secretsOf } from './config/config.ts';
import { modelsIn } from './config/model-settings.ts';
import { endOverduePauses } from './conversation/hands/overdue.ts';
import type { Happening } from './conversation/happenings.ts';
import type { Ending } from './conversation/log/events.ts';
import { StorageRefusal } from './conversation/log/refusal.ts';
import { endConversation } from './conversation/log/shared-queue.ts';
import { UNTRACED } from './conversation/tracer.ts';
import type { BindModel } from './conversation/turn/model-binding.ts';
import { runConversation } from './conversation/turn/orchestrator.ts';
import type { Provider, ProviderError } from './conversation/turn/provider.ts';
import { retryDelayMs } from './conversation/turn/retry.ts';
import { registerAsyncApi } from './doors/asyncapi/door.ts';
import { registerMcpDoor } from './doors/mcp/door.ts';
import { registerOpenAiDoor } from './doors/openai/door.ts';
import { lazyWebhooks } from './doors/webhooks/lazy.ts';
import { configuredEmbedding } from './embedding.ts';
import { configuredGuards } from './guards/configured.ts';
import { Reader } from './knowledge/reading/reader.ts';
import { laneSettingsInForce, priceInForce } from './models.ts';
import { createJournal } from './observability/journal.ts';
import { createLogger, type LineSink, type Logger } from './observability/logger.ts';
import { createMetrics } from './observability/metrics.ts';
import type { LogLosses } from './observability/standard-output.ts';
import type { Tracing } from './observability/tracing.ts';
import { DIRECT_LANE } from './protection/direct.ts';
import { LimitedKeyBudgets } from './protection/key-budgets.ts';
import { type CircuitChange, createLanes } from './protection/lanes.ts';
import { createProviders } from './providers/catalog.ts';
import { pricedModels } from './providers/prices.ts';
import { vendorSettings } from './providers/vendor-settings.ts';
import { keysInForce } from './security/key-file.ts';
import { createSanitiser } from './security/sanitise.ts';
import { createMasker } from './security/secrets.ts';
import { buildApp } from './server/app.ts';
import type { ServerParts } from './server/parts.ts';

/** They last for days. */
const PAUSES_LOOKED_AT_EVERY_MS = 10 * 60 * 1000;

/** The whole server, not listening yet. */
export interface Platform {
  app: FastifyInstance;
  logger: Logger;
  /** Goes on with what had not ended when the process before this one stopped; gives how many there are. */
  resume(): Promise<number>;
  /** Reads API_KEYS_FILE again, where there is one. */
  rereadKeys(): void;
  /** Streams and turns at the same time, then the storage; nothing acknowledged is lost. */
  close(): Promise<void>;
}

/**
 * Builds all parts from the configuration: the only place that knows which storage, runner and live feed
 * are in force.
 *
 * @param extra providers that play in the place of those with the same id; the tracing, where it is on; what the
 * output could not take; who holds DATA_DIR, null to read it beside whoever does
 * @throws StorageError where DATA_DIR can't be used, or the Redis of REDIS_URL
 */
export async function compose(
  config: Config,
  output: LineSink,
  extra: {
    providers?: ReadonlyMap<string, Provider>;
    tracing?: Tracing | undefined;
    logLosses?: Readonly<LogLosses>;
    holder?: string | null;
  } = {},
): Promise<Platform> {
  const mask = createMasker(secretsOf(config));
  const embedding = configuredEmbedding(config, mask, {
    laneTo: (provider, model) => lanes.lane(provider, model),
    priceOf: (provider, model) => priceFor(provider, model),
    dailyBudget: () => dailyBudget,
    onFailure: (error, retryInMs) => {
      const log = logger.child({ logger: 'knowledge' });
      log.warn({ error, retry_in: retryInMs / 1000 }, 'embedding.failed');
    },
  });
  const { tracing } = extra;
  const logger = createLogger(config.LOG_LEVEL, mask, output, {
    onLine: (level) => metrics.logged(level),
    around: tracing?.logFields,
  });
  const { holder = `process ${process.pid} on ${config.HOST}:${config.PORT}` } = extra;
  const backend = await openBackend(config, logger, holder, embedding, {
    appended: (milliseconds) => metrics.appended(backend.name, milliseconds),
    protectionShared: (kind, isShared) => metrics.protectionShared(kind, isShared),
  });
  const { storage, live, dailyBudget } = backend;
  const providers = await createProviders(
    vendorSettings(config),
    { tokenDelayMs: config.EMBEDDED_TOKEN_DELAY_MS },
    config.A2A_AGENTS ?? {},
    mask,
  );
  const metrics = createMetrics({
    build: { version: packageJson.version, node: process.version },
    knownModels: [...providers.models, ...pricedModels(), ...modelsIn(config.MODEL_SETTINGS ?? {})],
    activeConversations: () => runner.active(),
    ...(backend.name === 'redis'
      ? { jobs: () => runner.depth() }
      : { queuedConversations: async () => (await runner.depth()).waiting }),
    lanes: () => lanes.loads(),
    dailyCost: dailyBudget && {
      committed: () => dailyBudget.committed(),
      limit: config.DAILY_COST_LIMIT_USD,
    },
    sqliteBytes: backend.fileBytes,
    logLosses: extra.logLosses ?? { failedWrites: 0, lostLines: 0 },
    traceIdOf: tracing && (() => tracing.logFields().trace_id),
  });
  const journal = createJournal(logger);
  const observe = (happening: Happening): void => {
    metrics.observe(happening);
    journal(happening);
    tracing?.observe(happening);
  };
  const tracer = tracing?.tracer ?? UNTRACED;

  const priceFor = (provider: string, model: string) => priceInForce(config, provider, model);
  const lanesLog = logger.child({ logger: 'lanes' });
  const onCircuit = (change: CircuitChange): void => {
    metrics.circuitChanged(change);
    lanesLog.warn(change, 'circuit.changed');
  };
  const lanes = createLanes(
    (provider, model) => laneSettingsInForce(config, provider, model),
    { onChange: onCircuit },
    backend.protection,
  );
  const bindModel: BindModel = (id, model) => {
    const provider = extra.providers?.get(id) ?? providers.find(id);
    if (!provider) return undefined;
    const lane = id === 'embedded' ? DIRECT_LANE : lanes.lane(id, model);
    return { provider, lane, price: priceFor(id, model) };
  };

  const guardsLog = logger.child({ logger: 'guards' });
  const guards = configuredGuards(config, (scanner, error) =>
    guardsLog.warn({ scanner, error }, 'guard.failed'),
  );
  const retry = { tries: config.RETRY_TRIES, firstDelayMs: config.RETRY_FIRST_DELAY_MS };
  const keys = keysInForce(config.API_KEYS, config.API_KEYS_FILE, logger.child({ logger: 'keys' }));
  const limitsOf = (key: string) => keys?.keyring.byName(key)?.limits;
  const keyBudgets = keys && new LimitedKeyBudgets(backend.keyLedger, limitsOf, () => new Date());
  const orchestrator = {
    log: storage,
    live,
    bindModel,
    guards,
    dailyBudget,
    keyBudgets,
    retryDelayMs: (error: ProviderError, triesSoFar: number) =>
      retryDelayMs(error, triesSoFar, Math.random, retry),
    sleep: async (milliseconds: number, signal: AbortSignal) => {
      await delay(milliseconds, undefined, { signal });
    },
    createSanitiser,
    maxMessageLength: config.MAX_MESSAGE_LENGTH,
    now: () => new Date(),
    elapsed: () => performance.now(),
    nameAttempt: attemptNames(),
    observe,
    tracer,
    knowledge: backend.knowledge,
  };
  const runnerLog = logger.child({ logger: 'runner' });
  const reportError = (conversation_id: string, error: unknown, retryInMs: number): void => {
    if (error instanceof StorageRefusal) metrics.storageRefused(backend.name);
    runnerLog.error({ conversation_id, error, retry_in: retryInMs / 1000 }, 'conversation.run_failed');
  };
  const runner = backend.createRunner({
    run: (conversationId, drain) => runConversation(orchestrator, conversationId, drain),
    giveUp: async (conversationId, { message }) => {
      const ending: Ending = { reason: 'storage_error', detail: message, by: 'system' };
      const { outcome, record } = await endConversation(
        { log: storage, catalog: storage },
        conversationId,
        ending,
        new Date(),
      );
      if (outcome !== 'appended' || !record) return;
      observe({ type: 'conversation.ended', conversationId, ending, turns: record.turns });
    },
    onPlace: (conversationId) => storage.markStarted(conversationId, new Date()),
    onError: reportError,
    maxActive: config.MAX_ACTIVE_CONVERSATIONS,
    activeLimitOf: (key) => limitsOf(key)?.activeConversations,
  });

  const reader = new Reader();
  const serverParts: ServerParts = {
    log: storage,
    catalog: storage,
    scenarios: backend.scenarios,
    search: backend.search,
    knowledge: backend.knowledge,
    readDocument: (unread) => reader.read(unread),
    live,
    logIsLossy: backend.name === 'redis',
    runner,
    guards,
    roster: providers.roster,
    circuitOf: (provider) => lanes.circuitOf(provider),
    priceOf: priceFor,
    defaults: {
      maxTurns: config.DEFAULT_MAX_TURNS,
      timeoutSeconds: Math.round(config.DEFAULT_TIMEOUT_MINUTES * 60),
      contextMessages: config.MAX_CONTEXT_MSGS,
      temperature: config.TEMPERATURE,
      maxOutputTokens: config.MAX_TOKENS,
      similarity: { threshold: config.SIMILARITY_THRESHOLD, consecutive: config.MAX_CONSECUTIVE_SIMILAR },
    },
    now: () => new Date(),
    addresses: {
      host: config.HOST,
      allowedHosts: config.ALLOWED_HOSTS,
      allowedOrigins: config.ALLOWED_ORIGINS,
      hasKeys: keys !== undefined,
    },
    keyring: keys?.keyring,
    tickets: backend.tickets,
    leases: backend.leases,
    keyBudgets,
    sharedCounts: backend.sharedCounts,
    maxMessageLength: config.MAX_MESSAGE_LENGTH,
    observe,
    metrics,
    tracer,
    createFastify: tracing?.traceFastify(fastify) ?? fastify,
    logger,
  };
  const webhooks = lazyWebhooks(backend.webhooks, {
    feed: backend.feed,
    log: storage,
    catalog: storage,
    key: config.WEBHOOKS_SECRET_KEY,
    allowPrivate: config.WEBHOOKS_ALLOW_PRIVATE,
    retrySeconds: config.WEBHOOKS_RETRY_SECONDS,
    timeoutSeconds: config.WEBHOOKS_TIMEOUT_SECONDS,
    metrics,
    logger,
  });
  const app = await buildApp(serverParts, [
    registerOpenAiDoor,
    registerMcpDoor,
    webhooks.door,
    registerAsyncApi,
  ]);

  try {
    await backend.assertUsable();
  } catch (error) {
    keys?.close();
    await backend.close();
    throw error;
  }
  const lookAtPauses = setInterval(() => {
    endOverduePauses({ log: storage, catalog: storage }, new Date(), (conversationId, ending, turns) =>
      observe({ type: 'conversation.ended', conversationId, ending, turns }),
    ).catch((error: unknown) => {
      runnerLog.error({ error }, 'pauses.not_looked_at');
    });
  }, PAUSES_LOOKED_AT_EVERY_MS).unref();
  return {
    app,
    logger,
    rereadKeys: () => keys?.reread(),
    async resume() {
      webhooks.start();
      return await runner.resume();
    },
    async close() {
      clearInterval(lookAtPauses);
      keys?.close();
      runner.leave();
      await app.close();
      // Only now nothing is started any more, and those who came back elsewhere have heard what was still said here.
      await runner.drain();
      await reader.close();
      await webhooks.close();
      await backend.close();
    },
  };
}

/** Unique across restarts and instances by 72 random bits a process, and then by counting. */
function attemptNames(): () => string {
  const process = randomBytes(9).toString('base64url');
  let count = 0;
  return () => `${process}-${(count++).toString(36)}`;
}
