import { AppError } from '../../errors.ts';
import { chargesIn, type Happening, happeningsIn } from '../happenings.ts';
import { Draft } from '../log/draft.ts';
import { type ConversationEvent, callIn } from '../log/events.ts';
import type { ConversationLog } from '../log/log.ts';
import { readState } from '../log/read-state.ts';
import { StorageRefusal } from '../log/refusal.ts';
import type { ConversationState } from '../log/state.ts';

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 30_000;

interface SessionParts {
  log: Pick<ConversationLog, 'append' | 'readOn'>;
  /** Rejects with the signal's reason when it is aborted. */
  sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Told of what it appends. */
  observe: (happening: Happening) => void;
}

/** Tokens and US dollars. */
interface Most {
  tokens: number;
  costUsd: number;
}

/**
 * A run's view of its conversation's log: the state as it was read last, and the one way to write. What others
 * wrote meanwhile is read on, and what is to be written is put behind it.
 */
export class Session {
  readonly conversationId: string;
  readonly #parts: SessionParts;
  #state: ConversationState;
  #last: Promise<unknown> = Promise.resolve();
  /** What calls under way may take at most, by their attempts. */
  readonly #reserved = new Map<string, Most>();

  constructor(parts: SessionParts, conversationId: string, state: ConversationState) {
    this.#parts = parts;
    this.conversationId = conversationId;
    this.#state = state;
  }

  get state(): ConversationState {
    return this.#state;
  }

  /** Sets aside what a call may take at most, until what it took stands in the log or `release` is called. */
  reserve(attempt: string, most: Most): void {
    this.#reserved.set(attempt, most);
  }

  release(attempt: string): void {
    this.#reserved.delete(attempt);
  }

  /** Nothing is under way. */
  releaseAll(): void {
    this.#reserved.clear();
  }

  /** What is set aside for the calls under way. */
  get reserved(): Most {
    let [tokens, costUsd] = [0, 0];
    for (const most of this.#reserved.values()) {
      tokens += most.tokens;
      costUsd += most.costUsd;
    }
    return { tokens, costUsd };
  }

  /**
   * Appends, again while the storage is too busy, so that an answer that was paid for isn't lost; if the first try
   * did go through, the second finds it there.
   *
   * @param write adds the events, none where there is nothing more to say; asked anew as often as others wrote first
   * @returns what was appended: none where it ended, or `write` added none
   * @throws StorageRefusal where the log will never take it; the signal's reason
   */
  append(write: (draft: Draft) => void, signal: AbortSignal): Promise<readonly ConversationEvent[]> {
    return this.#inTurn(() => this.#append(write, signal));
  }

  async #append(write: (draft: Draft) => void, signal: AbortSignal): Promise<readonly ConversationEvent[]> {
    for (let waitMs = FIRST_WAIT_MS; ; ) {
      const draft = new Draft(this.#state);
      write(draft);
      const { before, events } = draft;
      if (events.length === 0) return [];
      try {
        const { log } = this.#parts;
        const outcome = await log.append(this.conversationId, before.lastSeq, events, draft.state);
        if (outcome === 'appended') {
          this.#state = draft.state;
          this.#tell(events, before);
          return events;
        }
        // All of it anew: where the storage lost its last moments, the log is another than what was known of it.
        if (!(await this.#readAgain())) return [];
      } catch (error) {
        if (!(error instanceof AppError)) throw refusalOf(error);
        if (!error.retryable || signal.aborted) throw error;
        await this.#parts.sleep(waitMs, signal);
        waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS);
      }
    }
  }

  /** What calls took stands in the log from now on, and who counts is told. */
  #tell(events: readonly ConversationEvent[], before: ConversationState): void {
    for (const event of events) this.#reserved.delete(callIn(event)?.attempt ?? '');
    const charges = chargesIn(this.conversationId, events);
    const happenings = happeningsIn(this.conversationId, events, before, this.#state);
    for (const happening of [...charges, ...happenings]) this.#parts.observe(happening);
  }

  /**
   * Reads what others wrote. False where nothing can be put behind what was known: it ended, it is gone, or the log
   * is of another history.
   */
  readAgain(): Promise<boolean> {
    return this.#inTurn(() => this.#readAgain());
  }

  /** One after the other, in the order of asking: the members of a panel write at the same time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }

  async #readAgain(): Promise<boolean> {
    const known = this.#state;
    const read = await readState(this.#parts.log, this.conversationId, known.lastSeq);
    if (!read) {
      this.#state = { ...known, status: 'terminated' };
      return false;
    }
    this.#state = read.state;
    return read.mark === known.lastMark && read.state.status !== 'terminated';
  }
}

function refusalOf(error: unknown): unknown {
  return error instanceof StorageRefusal
    ? error
    : new StorageRefusal(error instanceof Error ? error.message : String(error), { cause: error });
}
