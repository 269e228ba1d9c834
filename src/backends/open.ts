import type { Config } from '../config/config.ts';
import type { EmbeddingOptions } from '../knowledge/local.ts';
import type { Logger } from '../observability/logger.ts';
import type { ProtectionKind } from '../protection/redis/protection.ts';
import type { Backend } from './backend.ts';
import { openEmbedded } from './embedded.ts';

/**
 * Opens what the configuration asks for: all in one process, or one of many on a Redis.
 *
 * @param holder who holds DATA_DIR; null to read it beside whoever does
 * @throws StorageError where DATA_DIR can't be used
 */
export async function openBackend(
  config: Config,
  logger: Logger,
  holder: string | null,
  embedding: EmbeddingOptions,
  meters: {
    appended: (milliseconds: number) => void;
    protectionShared: (kind: ProtectionKind, isShared: boolean) => void;
  },
): Promise<Backend> {
  const { REDIS_URL, DATA_DIR, DAILY_COST_LIMIT_USD } = config;
  if (REDIS_URL === undefined) {
    const since = holder && `${holder}, started ${new Date().toISOString()}`;
    return openEmbedded(DATA_DIR, since, DAILY_COST_LIMIT_USD, meters.appended, embedding);
  }
  // What one process alone doesn't need isn't loaded there.
  const { openDistributed } = await import('./distributed.ts');
  const log = logger.child({ logger: 'redis' });
  const onTrouble = (error: unknown): void => log.warn({ error }, 'redis.trouble');
  const backend = openDistributed(
    REDIS_URL.reveal(),
    DATA_DIR,
    DAILY_COST_LIMIT_USD,
    {
      onAppend: meters.appended,
      onTrouble,
      onFallback: (kind) => {
        meters.protectionShared(kind, false);
        log.warn({ kind }, 'protection.local');
      },
      onRecovery: (kind) => {
        meters.protectionShared(kind, true);
        log.info({ kind }, 'protection.shared');
      },
    },
    embedding,
  );
  const warn = async (): Promise<void> => {
    const warning = await backend.durabilityWarning();
    if (warning !== undefined) log.warn({ warning }, 'redis.durability');
  };
  warn().catch(onTrouble);
  return backend;
}
