import type { fastify } from 'fastify';
import type { Happening } from '../conversation/happenings.ts';
import type { CircuitState } from '../conversation/lane.ts';
import type { LiveFeed } from '../conversation/live.ts';
import type { ConversationCatalog, ConversationQueue } from '../conversation/queue.ts';
import type { RosterEntry, SettingsDefaults } from '../conversation/settings.ts';
import type { Tracer } from '../conversation/tracer.ts';
import type { TurnPolicy } from '../conversation/turns.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Runner } from '../runner/runner.ts';

/** What the server is built from. */
export interface ServerParts {
  queue: ConversationQueue;
  catalog: ConversationCatalog;
  live: LiveFeed;
  runner: Runner;
  roster: readonly RosterEntry[];
  /** The worst of a provider's models. */
  circuitOf: (provider: string) => CircuitState;
  defaults: SettingsDefaults;
  /** Code points. */
  maxMessageLength: number;
  nextSpeaker: TurnPolicy;
  observe: (happening: Happening) => void;
  metrics: Pick<Metrics, 'expose' | 'answered' | 'streams'>;
  tracer: Tracer;
  /** Fastify's own factory as it is traced; the plain one where nothing is. */
  createFastify: typeof fastify;
  logger: Logger;
}
