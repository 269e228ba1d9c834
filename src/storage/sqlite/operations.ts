import type { Message } from '../../conversation/log/events.ts';
import type { AppendOutcome, CreateOutcome, LogEntry, RecordFields } from '../../conversation/log/log.ts';
import type { ConversationSettings } from '../../conversation/log/settings.ts';
import type { ScenarioOperation, ScenarioOutcome } from './scenarios.ts';

/** One change of state, as plain data, so that it may cross to another thread. Times are milliseconds since 1970. */
export type WriteOperation =
  | {
      kind: 'create';
      id: string;
      tenant: string;
      createdAt: number;
      startedAt: number | null;
      settings: ConversationSettings;
      entries: readonly LogEntry[];
      messages: readonly Message[];
      record: RecordFields;
      idempotency: { key: string; bodyHash: string } | null;
    }
  | {
      kind: 'append';
      id: string;
      expectedSeq: number;
      entries: readonly LogEntry[];
      /** Those among the entries. */
      messages: readonly Message[];
      record: RecordFields;
    }
  | { kind: 'started'; id: string; at: number }
  | { kind: 'remove'; id: string }
  /** Notes what calls of a day (UTC, `2026-01-31`) have cost, in US dollars. */
  | { kind: 'spent'; day: string; usd: number }
  /** Notes what calls of a key's conversations have taken on a day. */
  | { kind: 'key spent'; day: string; key: string; tokens: number; usd: number }
  | ScenarioOperation
  /** Brings the index of messages on. */
  | { kind: 'index' }
  /** Goes on with wiping out what removals left; `tidied` when nothing is left of it. */
  | { kind: 'tidy' }
  /** Writes a page and changes nothing, to see that it can be done. */
  | { kind: 'check' };

export interface WriteResult {
  outcome: AppendOutcome | CreateOutcome['outcome'] | ScenarioOutcome | 'removed' | 'tidied' | 'noted';
  /** What readers are to be told. */
  entries: readonly LogEntry[];
  /** The id of the conversation that an idempotency key stands for. */
  replayed?: string;
}
