import { formatCursor, NO_MORE } from './cursor.ts';
import type { LogEntry } from './queue.ts';

/** One try at a turn while it is being made. */
export interface AttemptUnderWay {
  readonly id: string;
  readonly turn: number;
  readonly agent: string;
  readonly provider: string;
  readonly model: string;
  /** The last seq of the log when it began. */
  readonly afterSeq: number;
  /** All it has said so far; it always ends at the end of a code point. */
  text: string;
}

/** One frame of a stream, written once for however many read it. */
export interface Frame {
  readonly type: string;
  readonly cursor: string;
  /** The whole frame as JSON text. */
  readonly json: string;
  /** Of a durable event; undefined for the frames in between. */
  readonly seq: number | undefined;
  /** The seq of the last event before it: where in the order it belongs. */
  readonly afterSeq: number;
  /** Of a frame in between: the attempt it is of. */
  readonly attempt: AttemptUnderWay | undefined;
  /** What a delta adds; else empty. */
  readonly text: string;
  /** Of a frame in between: how much of the attempt a reader has had with it, in UTF-16 units. */
  readonly to: number;
}

/** An attempt as it is at one point among the frames, with its text so far; it doesn't change. */
export interface Snapshot {
  readonly underWay: Readonly<AttemptUnderWay>;
}

/**
 * What a listener hears. `behind`: something may have been lost, and has to be read from the log.
 * `removed`: nothing follows.
 */
export type LiveItem = Frame | Snapshot | 'behind' | 'removed';

export type LiveListener = (item: LiveItem) => void;

/** What a stream needs of the live side; the history comes from the queue. */
export interface LiveFeed {
  /**
   * Has every frame of a conversation go to the listener, in order. Fulfilled once that is certain; items may
   * come before that, too. What is under way comes as a snapshot among the frames, at once or, from another
   * instance, soon; nothing is said where nothing is under way. Rejects where there is no listening now.
   */
  follow(conversationId: string, listener: LiveListener): Promise<{ stop: () => void }>;
}

/** What the orchestrator tells those who watch, and what it is told. */
export interface LiveStage {
  started(conversationId: string, attempt: AttemptUnderWay): void;
  /** Adds to the attempt's text, and shows what was added. */
  said(conversationId: string, attempt: AttemptUnderWay, text: string): void;
  failed(
    conversationId: string,
    attempt: AttemptUnderWay,
    failure: { error: string; retryInMs: number | null },
  ): void;
  /**
   * Calls back once, when the conversation is ended or removed by whomever. Fulfilled once that is certain:
   * whoever reads the log after that misses no end. Rejects where there is no listening now.
   */
  onEnd(conversationId: string, callback: () => void): Promise<{ stop: () => void }>;
}

/** What the storage announces, after it is durable. */
export interface LiveAnnouncer {
  appended(conversationId: string, entries: readonly LogEntry[]): void;
  removed(conversationId: string): void;
}

/** The frame of a durable event. */
export function eventFrame(conversationId: string, { seq, type, json }: LogEntry): Frame {
  const cursor = formatCursor(conversationId, seq);
  const head = `{"conversationId":"${conversationId}","cursor":"${cursor}",`;
  return {
    type,
    cursor,
    seq,
    afterSeq: seq - 1,
    json: head + json.slice(1),
    attempt: undefined,
    text: '',
    to: 0,
  };
}

export function startedFrame(conversationId: string, attempt: AttemptUnderWay): Frame {
  const { id, turn, agent, provider, model } = attempt;
  return passingFrame(conversationId, 'turn.started', attempt, 0, {
    turn,
    attempt: id,
    agent,
    provider,
    model,
  });
}

/** A piece of what an attempt said, which ends `to` UTF-16 units into it. */
export function deltaFrame(
  conversationId: string,
  attempt: AttemptUnderWay,
  text: string,
  to: number,
): Frame {
  const { id, turn, agent, afterSeq } = attempt;
  const cursor = formatCursor(conversationId, afterSeq, id, to);
  // Of all frames there are most of these: only what may need escaping goes through JSON.stringify.
  const json =
    `{"type":"turn.delta","conversationId":"${conversationId}","cursor":"${cursor}","turn":${turn},` +
    `"attempt":"${id}","agent":${JSON.stringify(agent)},"text":${JSON.stringify(text)}}`;
  return { type: 'turn.delta', cursor, json, seq: undefined, afterSeq, attempt, text, to };
}

/** Its text is void, so that whoever has had this frame needs no more of the attempt. */
function failedFrame(
  conversationId: string,
  attempt: AttemptUnderWay,
  { error, retryInMs }: { error: string; retryInMs: number | null },
): Frame {
  const { id, turn, agent } = attempt;
  const fields = { turn, attempt: id, agent, error, retryInMs };
  return passingFrame(conversationId, 'turn.failed', attempt, NO_MORE, fields);
}

function passingFrame(
  conversationId: string,
  type: string,
  attempt: AttemptUnderWay,
  to: number,
  fields: object,
): Frame {
  const { id, afterSeq } = attempt;
  const cursor = formatCursor(conversationId, afterSeq, id, to);
  const json = JSON.stringify({ type, conversationId, cursor, ...fields });
  return { type, cursor, json, seq: undefined, afterSeq, attempt, text: '', to };
}

/** There is one for each conversation that runs, so that nothing is made for those who aren't there. */
interface Channel {
  /** Undefined where nobody listens. */
  listeners: Set<LiveListener> | undefined;
  onEnd: readonly (() => void)[];
  underWay: AttemptUnderWay | undefined;
}

/**
 * The live side within one process: nothing is kept but what is under way, and frames are made only for those
 * who listen. What spans instances is built on it: it shows here what is said elsewhere.
 */
export class LocalLive implements LiveFeed, LiveStage, LiveAnnouncer {
  readonly #channels = new Map<string, Channel>();

  async follow(conversationId: string, listener: LiveListener): Promise<{ stop: () => void }> {
    const channel = this.#open(conversationId);
    channel.listeners ??= new Set();
    channel.listeners.add(listener);
    if (channel.underWay) listener({ underWay: { ...channel.underWay } });
    const stop = (): void => {
      channel.listeners?.delete(listener);
      if (channel.listeners?.size === 0) channel.listeners = undefined;
      this.#tidy(conversationId, channel);
    };
    return { stop };
  }

  async onEnd(conversationId: string, callback: () => void): Promise<{ stop: () => void }> {
    const channel = this.#open(conversationId);
    channel.onEnd = [...channel.onEnd, callback];
    const stop = (): void => {
      channel.onEnd = channel.onEnd.filter((kept) => kept !== callback);
      this.#tidy(conversationId, channel);
    };
    return { stop };
  }

  started(conversationId: string, attempt: AttemptUnderWay): void {
    const channel = this.#open(conversationId);
    channel.underWay = attempt;
    if (channel.listeners) send(channel, startedFrame(conversationId, attempt));
  }

  said(conversationId: string, attempt: AttemptUnderWay, text: string): void {
    attempt.text += text;
    const channel = this.#channels.get(conversationId);
    if (channel === undefined || channel.underWay !== attempt || !channel.listeners) return;
    send(channel, deltaFrame(conversationId, attempt, text, attempt.text.length));
  }

  failed(
    conversationId: string,
    attempt: AttemptUnderWay,
    failure: { error: string; retryInMs: number | null },
  ): void {
    const channel = this.#channels.get(conversationId);
    if (channel?.underWay !== attempt) return;
    channel.underWay = undefined;
    if (channel.listeners) send(channel, failedFrame(conversationId, attempt, failure));
    this.#tidy(conversationId, channel);
  }

  appended(conversationId: string, entries: readonly LogEntry[]): void {
    const channel = this.#channels.get(conversationId);
    if (channel === undefined) return;
    for (const entry of entries) {
      // An attempt that began behind this event goes on: the event was announced late.
      if (channel.underWay && channel.underWay.afterSeq < entry.seq) channel.underWay = undefined;
      if (channel.listeners) send(channel, eventFrame(conversationId, entry));
      if (entry.type === 'conversation.terminated') this.#end(channel);
    }
    this.#tidy(conversationId, channel);
  }

  removed(conversationId: string): void {
    const channel = this.#channels.get(conversationId);
    if (channel === undefined) return;
    channel.underWay = undefined;
    send(channel, 'removed');
    this.#end(channel);
    this.#tidy(conversationId, channel);
  }

  /** What is under way, as far as is known here. */
  underWay(conversationId: string): AttemptUnderWay | undefined {
    return this.#channels.get(conversationId)?.underWay;
  }

  /** Shows an attempt that began elsewhere and has said its text so far. */
  cameUpon(conversationId: string, attempt: AttemptUnderWay): void {
    const channel = this.#open(conversationId);
    channel.underWay = attempt;
    send(channel, { underWay: { ...attempt } });
  }

  /** Knows no longer what is under way; those who listen keep what they heard of it. */
  forget(conversationId: string): void {
    const channel = this.#channels.get(conversationId);
    if (channel === undefined) return;
    channel.underWay = undefined;
    this.#tidy(conversationId, channel);
  }

  /** Has all who listen read on from the log. */
  lost(conversationId: string): void {
    const channel = this.#channels.get(conversationId);
    if (channel) send(channel, 'behind');
  }

  /** Calls back those who wait for the end, where it is known by another way than its event. */
  ended(conversationId: string): void {
    const channel = this.#channels.get(conversationId);
    if (channel === undefined) return;
    this.#end(channel);
    this.#tidy(conversationId, channel);
  }

  #end(channel: Channel): void {
    const callbacks = channel.onEnd;
    channel.onEnd = [];
    for (const callback of callbacks) callback();
  }

  #open(conversationId: string): Channel {
    let channel = this.#channels.get(conversationId);
    if (channel === undefined) {
      channel = { listeners: undefined, onEnd: [], underWay: undefined };
      this.#channels.set(conversationId, channel);
    }
    return channel;
  }

  #tidy(conversationId: string, channel: Channel): void {
    if (channel.listeners || channel.onEnd.length > 0 || channel.underWay) return;
    if (this.#channels.get(conversationId) === channel) this.#channels.delete(conversationId);
  }
}

function send({ listeners }: Channel, item: LiveItem): void {
  for (const listener of listeners ?? []) listener(item);
}
