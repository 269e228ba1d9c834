import type { ConversationEvent } from '../../conversation/log/events.ts';
import {
  type AppendOutcome,
  contextIn,
  IDEMPOTENCY_WINDOW_MS,
  type LogEntry,
  type NewConversation,
  type RecordFields,
  toEntry,
} from '../../conversation/log/log.ts';
import type { LiveAnnouncer } from '../../conversation/stream/live.ts';
import type { RecentMessages } from '../recent-messages.ts';
import { answered } from './answers.ts';
import type { RedisClient } from './connection.ts';
import type { RedisFeed } from './feed.ts';
import { claimKey, conversationKeys } from './keys.ts';
import { readLog } from './log.ts';
import { fieldsOfRow } from './records.ts';
import { scriptsOf } from './scripts.ts';

export interface WriterParts {
  client: RedisClient;
  prefix: string;
  /** Names this instance in what is published. */
  origin: string;
  live: LiveAnnouncer;
  recent: RecentMessages;
  feed: RedisFeed;
}

/** What an idempotency key stands for. */
export interface Claim {
  id: string;
  bodyHash: string;
  /** Milliseconds since 1970. */
  createdAt: number;
  beginning: 'running' | 'queued';
}

/** What a change was answered, and the events that it brought. */
interface Change<Outcome> {
  outcome: Outcome;
  entries: readonly LogEntry[];
}

const TOMBSTONE_MS = 60_000;
const CATCH_UP_EVENTS = 1000;

/**
 * Makes the changes, one script each, and announces on this instance what they brought. Changes of one
 * conversation are done and announced in the order of asking.
 */
export class Writer {
  readonly #parts: WriterParts;
  readonly #scripts: ReturnType<typeof scriptsOf>;
  /** Of changes without an answer, the seq behind which there may be events that nobody here was told of. */
  readonly #untold = new Map<string, number>();

  constructor(parts: WriterParts) {
    this.#parts = parts;
    this.#scripts = scriptsOf(parts.client);
  }

  /** @param claim the name of its claim; empty without an idempotency key */
  create(
    id: string,
    {
      tenant,
      startedAt,
      events,
      record,
    }: Pick<NewConversation, 'tenant' | 'startedAt' | 'events' | 'record'>,
    entry: string,
    claim: string,
  ): Promise<'created' | 'exists' | 'removed'> {
    const entries = events.map(toEntry);
    const { row, log, tombstone, channel } = this.#keys(id);
    const { origin, feed } = this.#parts;
    const { keys, length } = feed.forScripts;
    const fields = [
      ...fieldsOfRow(record),
      'entry',
      entry,
      ...(startedAt === null ? [] : ['started_at', startedAt.toISOString()]),
      ...(claim === '' ? [] : ['claim', claim]),
    ];
    return this.#change(
      id,
      0,
      () =>
        feed.telling(
          { kind: 'grown', id, from: 1 },
          entries.length,
          () =>
            this.#scripts.create(
              [row, log, tombstone, ...keys],
              [channel, origin, id, length, tenant, fields.length, ...fields, ...textsOf(entries)],
            ),
          (answer) => answer === 'created',
        ),
      (answer) => {
        const outcome = answer as 'created' | 'exists' | 'removed';
        return { outcome, entries: outcome === 'created' ? entries : [] };
      },
    );
  }

  append(
    id: string,
    expectedSeq: number,
    events: readonly ConversationEvent[],
    record: RecordFields,
  ): Promise<AppendOutcome> {
    const entries = events.map(toEntry);
    const fields = fieldsOfRow(record);
    const { row, log, channel } = this.#keys(id);
    const { origin, feed } = this.#parts;
    const { keys, length } = feed.forScripts;
    return this.#change(
      id,
      expectedSeq,
      () =>
        feed.telling(
          { kind: 'grown', id, from: expectedSeq + 1 },
          expectedSeq + entries.length,
          () =>
            this.#scripts.append(
              [row, log, ...keys],
              [channel, origin, id, length, expectedSeq, fields.length, ...fields, ...textsOf(entries)],
            ),
          (answer) => answer === 'appended',
        ),
      (answer) => {
        const outcome = answer as AppendOutcome;
        const { recent } = this.#parts;
        if (outcome === 'appended' && record.status !== 'terminated') {
          recent.follow(id, expectedSeq, contextIn(events), record.lastSeq);
        } else recent.drop(id);
        return { outcome, entries: outcome === 'appended' ? entries : [] };
      },
    );
  }

  async started(id: string, at: Date): Promise<void> {
    await answered(this.#scripts.started([this.#keys(id).row], [at.toISOString()]));
  }

  /** False where there was none. */
  async remove(tenant: string, id: string): Promise<boolean> {
    const { row, log, tombstone, channel } = this.#keys(id);
    const { origin, recent, live, feed } = this.#parts;
    const { keys, length } = feed.forScripts;
    const removed = await feed.telling(
      { kind: 'removed', tenant, id },
      0,
      () =>
        this.#scripts.remove(
          [row, log, tombstone, ...keys],
          [channel, origin, id, length, tenant, TOMBSTONE_MS],
        ),
      (answer) => answer === 1,
    );
    recent.drop(id);
    this.#untold.delete(id);
    if (removed === 1) live.removed(id);
    return removed === 1;
  }

  /** Takes an idempotency key, or finds out who has it. */
  async claim(claim: string, wanted: Claim): Promise<Claim> {
    const { id, bodyHash, createdAt, beginning } = wanted;
    const held = await answered(
      this.#scripts.claim(
        [claimKey(this.#parts.prefix, claim)],
        [id, bodyHash, createdAt, beginning, IDEMPOTENCY_WINDOW_MS],
      ),
    );
    const [holder = '', hash = '', time, theirs] = held as string[];
    return {
      id: holder,
      bodyHash: hash,
      createdAt: Number(time),
      beginning: theirs as Claim['beginning'],
    };
  }

  async forget(claim: string, id: string): Promise<void> {
    await answered(this.#scripts.forget([claimKey(this.#parts.prefix, claim)], [id]));
  }

  /**
   * Has a change made, and announces what it brought. A change whose answer is lost may have been made: with the
   * next answer about this conversation, all that stands behind `afterSeq` is announced in its place.
   */
  async #change<Outcome>(
    id: string,
    afterSeq: number,
    make: () => Promise<unknown>,
    read: (answer: unknown) => Change<Outcome>,
  ): Promise<Outcome> {
    const { recent, live } = this.#parts;
    let answer: unknown;
    try {
      answer = await make();
    } catch (error) {
      recent.drop(id);
      // Nobody follows a conversation that is being made.
      if (afterSeq > 0) this.#untold.set(id, Math.min(afterSeq, this.#untold.get(id) ?? afterSeq));
      throw error;
    }
    const { outcome, entries } = read(answer);
    const untold = this.#untold.get(id);
    const news = untold === undefined ? entries : await this.#readBehind(id, untold);
    this.#untold.delete(id);
    if (news.length > 0) live.appended(id, news);
    return outcome;
  }

  #readBehind(id: string, seq: number): Promise<LogEntry[]> {
    return readLog(this.#parts.client, this.#keys(id).log, seq, CATCH_UP_EVENTS);
  }

  #keys(id: string): ReturnType<typeof conversationKeys> {
    return conversationKeys(this.#parts.prefix, id);
  }
}

/** As the scripts take entries. */
function textsOf(entries: readonly LogEntry[]): string[] {
  return entries.flatMap(({ type, json }) => [type, json]);
}
