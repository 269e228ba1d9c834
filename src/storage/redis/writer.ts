import { type Ending, openingEvents, terminationEvent } from '../../conversation/log/events.ts';
import {
  type AppendedEvents,
  type AppendOutcome,
  endOf,
  IDEMPOTENCY_WINDOW_MS,
  type LogEntry,
  type NewConversation,
} from '../../conversation/log/log.ts';
import type { LiveAnnouncer } from '../../conversation/stream/live.ts';
import type { RecentMessages } from '../recent-messages.ts';
import { answered } from './answers.ts';
import type { RedisClient } from './connection.ts';
import { claimKey, conversationKeys } from './keys.ts';
import { readLast, readLog } from './log.ts';
import { scriptsOf } from './scripts.ts';

export interface WriterParts {
  client: RedisClient;
  prefix: string;
  /** Names this instance in what is published. */
  origin: string;
  live: LiveAnnouncer;
  recent: RecentMessages;
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
/** Stands for the seq before the last event, whichever that is. */
const LAST = Infinity;
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
    { settings, createdAt, startedAt, traceparent }: Omit<NewConversation, 'id' | 'idempotency'>,
    entry: string,
    claim: string,
  ): Promise<'created' | 'exists' | 'removed'> {
    const events = openingEvents(settings, createdAt, traceparent);
    const entries = events.map(toEntry);
    const { row, log, tombstone, channel } = this.#keys(id);
    return this.#change(
      id,
      0,
      () =>
        this.#scripts.create(
          [row, log, tombstone],
          [
            channel,
            this.#parts.origin,
            entry,
            startedAt?.toISOString() ?? '',
            events[1].message.sender,
            claim,
            ...entries.flatMap(({ type, json }) => [type, json]),
          ],
        ),
      (answer) => {
        const outcome = answer as 'created' | 'exists' | 'removed';
        return { outcome, entries: outcome === 'created' ? entries : [] };
      },
    );
  }

  append(id: string, expectedSeq: number, events: AppendedEvents): Promise<AppendOutcome> {
    const [{ message }] = events;
    const end = endOf(events);
    const { turn, sender, role, metadata } = message;
    const { inputTokens = 0, outputTokens = 0, costUsd = '' } = metadata;
    // A script that fails halfway isn't undone.
    if (![turn, inputTokens, outputTokens].every(Number.isSafeInteger)) {
      throw new TypeError(
        `turn ${turn}, tokens ${inputTokens} and ${outputTokens} are not all whole numbers`,
      );
    }
    const entries = events.map(toEntry);
    const { row, log, channel } = this.#keys(id);
    return this.#change(
      id,
      expectedSeq,
      () =>
        this.#scripts.append(
          [row, log],
          [
            channel,
            this.#parts.origin,
            expectedSeq,
            sender,
            role === 'agent' ? turn : '',
            inputTokens,
            outputTokens,
            costUsd,
            ...(end ? [end.at, endingJson(end)] : ['', '']),
            ...entries.flatMap(({ type, json }) => [type, json]),
          ],
        ),
      (answer) => {
        const outcome = answer as AppendOutcome;
        if (outcome === 'appended' && !end) this.#parts.recent.append(id, message);
        else this.#parts.recent.drop(id);
        return { outcome, entries: outcome === 'appended' ? entries : [] };
      },
    );
  }

  end(id: string, ending: Ending): Promise<'appended' | 'terminated' | 'not_found'> {
    const { seq: _, ...event } = terminationEvent(0, new Date(), ending);
    const json = `,${JSON.stringify(event).slice(1)}`;
    const { row, log, channel } = this.#keys(id);
    return this.#change(
      id,
      LAST,
      () =>
        this.#scripts.end(
          [row, log],
          [channel, this.#parts.origin, event.at, endingJson(ending), event.type, json],
        ),
      (answer) => {
        this.#parts.recent.drop(id);
        if (typeof answer !== 'number') return { outcome: answer as 'terminated' | 'not_found', entries: [] };
        const entry = { seq: answer, type: event.type, json: `{"seq":${answer}${json}` };
        return { outcome: 'appended', entries: [entry] };
      },
    );
  }

  async started(id: string, at: Date): Promise<void> {
    await answered(this.#scripts.started([this.#keys(id).row], [at.toISOString()]));
  }

  /** False where there was none. */
  async remove(id: string): Promise<boolean> {
    const { row, log, tombstone, channel } = this.#keys(id);
    const { origin, recent, live } = this.#parts;
    const removed = await answered(
      this.#scripts.remove([row, log, tombstone], [channel, origin, TOMBSTONE_MS]),
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
      answer = await answered(make());
    } catch (error) {
      recent.drop(id);
      // Nobody follows a conversation that is being made.
      if (afterSeq > 0) this.#untold.set(id, Math.min(afterSeq, this.#untold.get(id) ?? LAST));
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
    const { client } = this.#parts;
    const { log } = this.#keys(id);
    return seq === LAST ? readLast(client, log) : readLog(client, log, seq, CATCH_UP_EVENTS);
  }

  #keys(id: string): ReturnType<typeof conversationKeys> {
    return conversationKeys(this.#parts.prefix, id);
  }
}

function endingJson({ reason, detail, by }: Ending): string {
  return JSON.stringify({ reason, detail, by });
}

function toEntry(event: { seq: number; type: string }): LogEntry {
  return { seq: event.seq, type: event.type, json: JSON.stringify(event) };
}
