import type { fastify } from 'fastify';
import type { Happening } from '../conversation/happenings.ts';
import type { Knowledge, ReadDocument } from '../conversation/knowledge/knowledge.ts';
import type { ConversationCatalog, ConversationLog } from '../conversation/log/log.ts';
import type { RosterEntry, SettingsDefaults } from '../conversation/log/settings.ts';
import type { KeyBudgets, Price } from '../conversation/policies/budget.ts';
import type { ScenarioStore } from '../conversation/scenarios/store.ts';
import type { MessageSearch } from '../conversation/search/search.ts';
import type { Guards } from '../conversation/stages/guard.ts';
import type { LiveFeed } from '../conversation/stream/live.ts';
import type { Tracer } from '../conversation/tracer.ts';
import type { CircuitState } from '../conversation/turn/lane.ts';
import type { Logger } from '../observability/logger.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { LeaseStore } from '../protection/leases.ts';
import type { TicketStore } from '../protection/tickets.ts';
import type { DocumentFormat } from '../protocol/knowledge.ts';
import type { Runner } from '../runner/runner.ts';
import type { AddressPolicy } from '../security/addresses.ts';
import type { Keyring } from '../security/keyring.ts';

/** What the server is built from. */
export interface ServerParts {
  log: ConversationLog;
  catalog: ConversationCatalog;
  scenarios: ScenarioStore;
  knowledge: Knowledge;
  /**
   * Takes the text out of what came, within bounds; `unreadable` says why it can't.
   *
   * @throws AppError `overloaded`
   */
  readDocument: (unread: {
    format: DocumentFormat;
    content: string | Uint8Array;
  }) => Promise<Pick<ReadDocument, 'text' | 'passages'> | { unreadable: string }>;
  search: MessageSearch;
  live: LiveFeed;
  /** Whether the log may lose what it acknowledged last, as a Redis may that syncs less than always. */
  logIsLossy: boolean;
  runner: Runner;
  guards: Guards;
  roster: readonly RosterEntry[];
  /** The worst of a provider's models. */
  circuitOf: (provider: string) => CircuitState;
  /** US dollars for a million tokens; undefined where that is not known. */
  priceOf: (provider: string, model: string) => Price | undefined;
  defaults: SettingsDefaults;
  now: () => Date;
  addresses: AddressPolicy;
  /** Undefined where there are no keys. */
  keyring: Keyring | undefined;
  tickets: TicketStore;
  leases: LeaseStore;
  /** What each key may take in a day; undefined where there are no keys. */
  keyBudgets: KeyBudgets | undefined;
  /** Where all instances count requests together: a connection to Redis, under a prefix. */
  sharedCounts: { connection: object; prefix: string } | undefined;
  /** Code points. */
  maxMessageLength: number;
  observe: (happening: Happening) => void;
  metrics: Pick<Metrics, 'expose' | 'answered' | 'streams' | 'guardFound'>;
  tracer: Tracer;
  /** Fastify's own factory as it is traced; the plain one where nothing is. */
  createFastify: typeof fastify;
  logger: Logger;
}
