import { type ConversationEvent, type Ending, terminationEvent } from './events.ts';
import {
  type AppendOutcome,
  type ContextMessage,
  type ConversationCatalog,
  type ConversationLog,
  type ConversationRecord,
  EVERY_TENANT,
} from './log.ts';
import { type RecordFields, recordAfter } from './record.ts';

/** Where conversations are found, and written to. */
interface Storage {
  log: ConversationLog;
  catalog: Pick<ConversationCatalog, 'get'>;
}

/** The fields that are stored with an append, of a record. */
export function fieldsOf({ status, ...record }: ConversationRecord): RecordFields {
  return { ...record, status: status === 'queued' ? 'running' : status };
}

/**
 * Appends events wherever the log stands.
 *
 * @param next the events behind a record, at least one; asked anew as often as others write first
 * @returns with the record as it is then, where there is such a conversation
 */
export async function appendBehind(
  { log, catalog }: Storage,
  conversationId: string,
  next: (record: ConversationRecord) => readonly ConversationEvent[],
): Promise<{ outcome: Exclude<AppendOutcome, 'sequence_conflict'>; record?: ConversationRecord }> {
  for (;;) {
    const before = await catalog.get(EVERY_TENANT, conversationId);
    if (!before) return { outcome: 'not_found' };
    if (before.status === 'terminated') return { outcome: 'terminated', record: before };
    const events = next(before);
    const fields = events.reduce(
      (record, event) => recordAfter(record, before.settings, event),
      fieldsOf(before),
    );
    const outcome = await log.append(conversationId, before.lastSeq, events, fields);
    if (outcome !== 'sequence_conflict') return { outcome, record: { ...before, ...fields } };
  }
}

/** Ends a conversation wherever its log stands. Once it is ended, by whomever, nothing is written. */
export async function endConversation(
  storage: Storage,
  conversationId: string,
  ending: Ending,
  now: Date,
): ReturnType<typeof appendBehind> {
  return appendBehind(storage, conversationId, ({ lastSeq }) => [terminationEvent(lastSeq + 1, now, ending)]);
}

/**
 * The six verbs of the shared queue that the platform is known for, written once over the log and the catalog of
 * any backend.
 */
export class SharedQueue {
  readonly #storage: Storage;
  readonly #now: () => Date;

  constructor(storage: Storage, now: () => Date = () => new Date()) {
    this.#storage = storage;
    this.#now = now;
  }

  /** Appends a message and what follows from it, as one. The first event's seq is `expectedSeq + 1`. */
  async addMessage(
    conversationId: string,
    expectedSeq: number,
    events: readonly ConversationEvent[],
  ): Promise<AppendOutcome> {
    const before = await this.#storage.catalog.get(EVERY_TENANT, conversationId);
    if (!before) return 'not_found';
    if (before.status === 'terminated') return 'terminated';
    if (before.lastSeq !== expectedSeq) return 'sequence_conflict';
    const record = events.reduce(
      (fields, event) => recordAfter(fields, before.settings, event),
      fieldsOf(before),
    );
    return await this.#storage.log.append(conversationId, expectedSeq, events, record);
  }

  getContext(conversationId: string, limit: number): Promise<ContextMessage[]> {
    return this.#storage.log.getContext(conversationId, limit);
  }

  /** Undefined where there is no such conversation. */
  async getLastSender(conversationId: string): Promise<string | undefined> {
    return (await this.#storage.catalog.get(EVERY_TENANT, conversationId))?.lastSender;
  }

  async markTerminated(
    conversationId: string,
    ending: Ending,
  ): Promise<Exclude<AppendOutcome, 'sequence_conflict'>> {
    return (await endConversation(this.#storage, conversationId, ending, this.#now())).outcome;
  }

  isTerminated(conversationId: string): Promise<boolean | undefined> {
    return this.#storage.log.isTerminated(conversationId);
  }

  healthCheck(): Promise<void> {
    return this.#storage.log.healthCheck();
  }
}
