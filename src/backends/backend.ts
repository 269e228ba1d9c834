import type { Knowledge } from '../conversation/knowledge/knowledge.ts';
import type { ConversationFeed } from '../conversation/log/feed.ts';
import type { ConversationCatalog, ConversationLog } from '../conversation/log/log.ts';
import type { DailyBudget } from '../conversation/policies/budget.ts';
import type { ScenarioStore } from '../conversation/scenarios/store.ts';
import type { MessageSearch } from '../conversation/search/search.ts';
import type { LiveFeed, LiveStage } from '../conversation/stream/live.ts';
import type { WebhooksPlace } from '../doors/webhooks/lazy.ts';
import type { KeyLedger } from '../protection/key-budgets.ts';
import type { LeaseStore } from '../protection/leases.ts';
import type { SharedProtection } from '../protection/shared-protection.ts';
import type { TicketStore } from '../protection/tickets.ts';
import type { RunParts } from '../runner/keep-running.ts';
import type { Runner } from '../runner/runner.ts';

/** How a runner runs a conversation, and whom it tells. */
export interface RunnerHooks extends RunParts {
  /** How many run at once in this process. */
  maxActive: number;
  /** How many of those that a key made run at once; undefined: without limit. */
  activeLimitOf: (key: string) => number | undefined;
}

/** One of the two ways to run: all that differs between one process and many instances. */
export interface Backend {
  /** As metrics name it. */
  name: 'sqlite' | 'redis';
  storage: ConversationLog & ConversationCatalog;
  feed: ConversationFeed;
  scenarios: ScenarioStore;
  knowledge: Knowledge;
  search: MessageSearch;
  live: LiveFeed & LiveStage;
  webhooks: WebhooksPlace;
  /** Undefined where there is no limit. */
  dailyBudget: DailyBudget | undefined;
  /** The sizes of the database's files; undefined where it has none here. */
  fileBytes: (() => { database: number; wal: number }) | undefined;
  /** How all instances shield vendors together. */
  protection: SharedProtection;
  tickets: TicketStore;
  leases: LeaseStore;
  keyLedger: KeyLedger;
  /** Where all instances count together: a connection to Redis, under a prefix. */
  sharedCounts: { connection: object; prefix: string } | undefined;
  createRunner(hooks: RunnerHooks): Runner;
  /** @throws StorageError where it can't be used */
  assertUsable(): Promise<void>;
  /** After the runner is drained. */
  close(): Promise<void>;
}
