import { readEvent } from '../../protocol/read-event.ts';
import type { ConversationLog } from '../log/log.ts';
import { type Cursor, NO_MORE, stands } from './cursor.ts';
import {
  type AttemptUnderWay,
  deltaFrame,
  eventFrame,
  type Frame,
  frameWithin,
  startedFrame,
} from './frames.ts';
import { attemptOf, type LiveFeed, type LiveItem, type Snapshot } from './live.ts';

/** Where frames go: one reader's connection. */
export interface StreamSink {
  send(frame: Frame): void;
  /**
   * Has what is sent meanwhile go out in one piece. Fulfilled when whatever else waits for this process has had
   * its turn, so that a long history holds up nobody.
   */
  together(sending: () => void): Promise<void>;
  /** Bytes that were sent and that the connection has not taken yet. */
  backlog(): number;
  /** Fulfilled when the backlog is small again; rejects when the signal is aborted. */
  drained(signal: AbortSignal): Promise<void>;
}

/**
 * Why a stream is over. `ended`: the conversation is, and all of it was sent. `removed`: it was deleted.
 * `rewritten`: events that the reader has had are gone, and others may stand in their place: the storage lost its last
 * moments. `too_slow`: the reader doesn't keep up. `closed`: the signal was aborted.
 */
export type StreamEnd = 'ended' | 'removed' | 'rewritten' | 'too_slow' | 'closed';

/** A live reader who leaves more than this unread is too slow; bytes. */
export const MAX_BACKLOG_BYTES = 1024 * 1024;
/** A reader of the history who takes nothing for this long is too slow; milliseconds. */
const MAX_STALL_MS = 30_000;
/** Live frames kept while the history is read; past it they are dropped and read from the log instead. */
const MAX_PENDING_CHARACTERS = 4 * 1024 * 1024;
const PAGE_EVENTS = 256;

/**
 * Sends a conversation from a cursor on: first the history, then what happens, without gap or repeat
 * (docs/protocol.md, section 4). It listens before it reads, and merges by seq, so that nothing falls
 * between the two.
 */
export async function streamConversation(
  parts: { log: ConversationLog; live: LiveFeed },
  conversationId: string,
  from: Cursor,
  sink: StreamSink,
  signal: AbortSignal,
): Promise<StreamEnd> {
  const reader = new Reader(parts, conversationId, from, sink, signal);
  try {
    for (;;) {
      const end = await reader.follow();
      if (end !== 'behind') return end;
    }
  } catch (error) {
    if (signal.aborted) return 'closed';
    throw error;
  }
}

class Reader {
  readonly #log: ConversationLog;
  readonly #live: LiveFeed;
  readonly #id: string;
  readonly #sink: StreamSink;
  readonly #signal: AbortSignal;
  #seq: number;
  /** Of that event; undefined where it isn't known. */
  #mark: string | undefined;
  /** Behind that event, inside which attempt the reader is, and how much of it was had. */
  #attempt: string | undefined;
  #offset: number;
  /** The attempt, where this connection has had frames of it. */
  #heard: AttemptUnderWay | undefined;
  /** Whether frames of that attempt may have been lost. */
  #torn = false;
  /** Attempts behind that event that gave way to another, or are of another history; nothing more of them is said. */
  #over: Set<string> | undefined;
  /** What was heard while the history is being read; undefined once frames go straight to the sink. */
  #pending: (Frame | Snapshot)[] | undefined;
  #pendingCharacters = 0;
  #removed = false;
  #end: StreamEnd | 'behind' | undefined;
  #resolve: (end: StreamEnd | 'behind') => void = () => {};

  constructor(
    { log, live }: { log: ConversationLog; live: LiveFeed },
    id: string,
    from: Cursor,
    sink: StreamSink,
    signal: AbortSignal,
  ) {
    this.#log = log;
    this.#live = live;
    this.#id = id;
    this.#sink = sink;
    this.#signal = signal;
    this.#seq = from.seq;
    this.#mark = from.mark;
    this.#attempt = from.within?.attempt;
    this.#offset = from.within?.offset ?? 0;
  }

  /** Listens, catches up, goes on live. `behind`: live frames were lost; follow again from here. */
  async follow(): Promise<StreamEnd | 'behind'> {
    const { promise, resolve } = Promise.withResolvers<StreamEnd | 'behind'>();
    this.#resolve = resolve;
    this.#end = undefined;
    const onAbort = (): void => this.#finish('closed');
    this.#signal.addEventListener('abort', onAbort, { once: true });
    if (this.#signal.aborted) onAbort();
    this.#pending = [];
    this.#pendingCharacters = 0;
    this.#torn = this.#heard !== undefined;
    let listening = true;
    const following = this.#live.follow(this.#id, (item) => {
      if (listening) this.#hear(item);
    });
    try {
      // A reader who goes meanwhile doesn't wait for it.
      await Promise.race([following, promise]);
      if (this.#end === undefined) await this.#catchUp();
      return await promise;
    } finally {
      listening = false;
      void following.then(
        ({ stop }) => stop(),
        () => {},
      );
      this.#pending = undefined;
      this.#signal.removeEventListener('abort', onAbort);
    }
  }

  async #catchUp(): Promise<void> {
    // Asked before the history is read, so that the end is in the history where the answer is yes.
    const terminated = await this.#log.isTerminated(this.#id);
    const had = { seq: this.#seq, mark: this.#mark };
    if (terminated !== undefined && !(await stands(this.#log, this.#id, had))) {
      return this.#finish('rewritten');
    }
    await this.#sendHistory();
    this.#goLive();
    if (this.#removed || terminated === undefined) this.#finish('removed');
    else if (terminated) this.#finish('ended');
  }

  #finish(end: StreamEnd | 'behind'): void {
    this.#end ??= end;
    this.#resolve(this.#end);
  }

  async #sendHistory(): Promise<void> {
    while (this.#end === undefined) {
      const entries = await this.#log.readOn(this.#id, this.#seq, PAGE_EVENTS);
      // Whoever was told meanwhile that something was lost doesn't know that these follow on what it had.
      if (entries.length === 0 || this.#end !== undefined) return;
      await this.#sink.together(() => {
        for (const entry of entries) this.#sendEvent(eventFrame(this.#id, entry));
      });
      if (this.#sink.backlog() > MAX_BACKLOG_BYTES / 4) await this.#awaitReader();
    }
  }

  async #awaitReader(): Promise<void> {
    const stalled = AbortSignal.timeout(MAX_STALL_MS);
    try {
      await this.#sink.drained(AbortSignal.any([this.#signal, stalled]));
    } catch (error) {
      if (!stalled.aborted || this.#signal.aborted) throw error;
      this.#finish('too_slow');
    }
  }

  #hear(item: LiveItem): void {
    if (item === 'removed') {
      this.#removed = true;
      if (!this.#pending) this.#finish('removed');
    } else if (item === 'behind') this.#finish('behind');
    else if (this.#pending) this.#keep(item);
    else this.#deliver(item);
  }

  #keep(item: Frame | Snapshot): void {
    this.#pending?.push(item);
    if ('json' in item) this.#pendingCharacters += item.json.length;
    if (this.#pendingCharacters > MAX_PENDING_CHARACTERS) this.#finish('behind');
  }

  #goLive(): void {
    const pending = this.#pending ?? [];
    this.#pending = undefined;
    for (const item of pending) {
      const attempt = attemptOf(item);
      // The log was read after this was heard: what is ahead of it even so, or follows on an event that it hasn't
      // got, is of no log that could be read.
      if ('underWay' in item && item.underWay.afterSeq > this.#seq) continue;
      if (attempt && this.#contradicts(item)) this.#dismiss(attempt.id);
      else this.#deliver(item);
    }
  }

  #deliver(item: Frame | Snapshot): void {
    const attempt = attemptOf(item);
    if (this.#end !== undefined || (attempt && this.#over?.has(attempt.id))) return;
    const afterSeq = 'underWay' in item ? item.underWay.afterSeq : item.afterSeq;
    if (this.#contradicts(item)) this.#finish('behind');
    else if (afterSeq < this.#seq) return;
    else if (afterSeq > this.#seq) this.#finish('behind');
    else if (this.#sink.backlog() > MAX_BACKLOG_BYTES) this.#finish('too_slow');
    else if ('underWay' in item) this.#sendSoFar(item.underWay);
    else if (attempt) this.#sendPart(item, attempt);
    else this.#sendEvent(item);
  }

  /** Whether it is, or follows on, another event than the last one that the reader has had, with its seq. */
  #contradicts(item: Frame | Snapshot): boolean {
    const [seq, mark] =
      'underWay' in item
        ? [item.underWay.afterSeq, item.underWay.afterMark]
        : [item.seq ?? item.afterSeq, item.mark];
    return seq === this.#seq && mark !== undefined && this.#mark !== undefined && mark !== this.#mark;
  }

  /** Nothing more of an attempt is to be said. */
  #dismiss(attempt: string): void {
    this.#over ??= new Set();
    this.#over.add(attempt);
  }

  /** What is under way, without what was had of it. */
  #sendSoFar(attempt: AttemptUnderWay): void {
    const had = this.#attempt === attempt.id ? this.#offset : undefined;
    if (had === undefined) this.#send(startedFrame(this.#id, attempt));
    const rest = attempt.text.slice(had);
    if (rest !== '') this.#send(deltaFrame(this.#id, attempt, rest, attempt.text.length));
    this.#torn = false;
  }

  /** A frame of an attempt, without what was had of it. Where it doesn't join on, what is under way is asked for again. */
  #sendPart(frame: Frame, attempt: AttemptUnderWay): void {
    const { type, text, to } = frame;
    const had = this.#attempt === attempt.id ? this.#offset : undefined;
    if (type === 'turn.started') {
      if (had === undefined) this.#send(frame);
    } else if (type === 'turn.failed') {
      if (had !== undefined && had !== NO_MORE) this.#send(frame);
    } else if (had === undefined || had < to - text.length) this.#finish('behind');
    else if (had === to - text.length) this.#send(frame);
    else if (had < to) this.#send(deltaFrame(this.#id, attempt, text.slice(had - to), to));
  }

  #sendEvent(frame: Frame): void {
    if (!frame.endsTurn && this.#attempt !== undefined) {
      const within = { attempt: this.#attempt, offset: this.#offset };
      this.#sink.send(frameWithin(this.#id, frame, within));
      this.#seq = frame.afterSeq + 1;
      this.#mark = frame.mark;
      return;
    }
    if (this.#torn && frame.type === 'message') this.#sendRest(frame);
    this.#send(frame);
    this.#seq = frame.afterSeq + 1;
    this.#mark = frame.mark;
    this.#attempt = undefined;
    this.#heard = undefined;
    this.#torn = false;
    this.#over = undefined;
    if (frame.type === 'conversation.terminated') this.#finish('ended');
  }

  /** What was lost of an attempt that this connection heard begin, from the message that it became. */
  #sendRest({ json }: Frame): void {
    const event = readEvent(json);
    if (event.type !== 'message') return;
    const { content, metadata } = event.message;
    if (this.#heard === undefined || this.#heard.id !== metadata.attempt) return;
    const rest = content.slice(this.#offset);
    // A guard that changed the content may have moved its code points.
    if (rest !== '' && rest.isWellFormed())
      this.#send(deltaFrame(this.#id, this.#heard, rest, content.length));
  }

  #send(frame: Frame): void {
    this.#sink.send(frame);
    const { attempt, to } = frame;
    if (attempt === undefined) return;
    if (this.#attempt !== undefined && this.#attempt !== attempt.id) this.#dismiss(this.#attempt);
    this.#attempt = attempt.id;
    this.#heard = attempt;
    this.#offset = to;
  }
}
