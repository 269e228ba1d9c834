import type { ConversationCatalog, ConversationQueue } from '../conversation/log/log.ts';
import type { DailyBudget } from '../conversation/policies/budget.ts';
import type { LiveFeed, LiveStage } from '../conversation/stream/live.ts';
import type { Drain } from '../conversation/turn/run.ts';
import type { SharedProtection } from '../protection/shared-protection.ts';
import type { Runner } from '../runner/runner.ts';

/** How a runner runs a conversation, and whom it tells. */
export interface RunnerHooks {
  run: (conversationId: string, drain: Drain) => Promise<void>;
  onError: (conversationId: string, error: unknown, retryInMs: number) => void;
  onPlace: (conversationId: string) => void;
  /** How many run at once in this process. */
  maxActive: number;
}

/** One of the two ways to run: all that differs between one process and many instances. */
export interface Backend {
  /** As metrics name it. */
  name: 'sqlite' | 'redis';
  storage: ConversationQueue & ConversationCatalog;
  live: LiveFeed & LiveStage;
  /** Undefined where there is no limit. */
  dailyBudget: DailyBudget | undefined;
  /** The sizes of the database's files; undefined where it has none here. */
  fileBytes: (() => { database: number; wal: number }) | undefined;
  /** How all instances shield vendors together. */
  protection: SharedProtection;
  createRunner(hooks: RunnerHooks): Runner;
  /** @throws StorageError where it can't be used */
  assertUsable(): Promise<void>;
  /** After the runner is drained. */
  close(): Promise<void>;
}
