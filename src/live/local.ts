import type { LogEntry } from '../conversation/log/log.ts';
import { markOfEntry } from '../conversation/log/mark.ts';
import {
  type AttemptUnderWay,
  deltaFrame,
  endsTurn,
  eventFrame,
  failedFrame,
  startedFrame,
} from '../conversation/stream/frames.ts';
import {
  interrupts,
  type LiveAnnouncer,
  type LiveFeed,
  type LiveItem,
  type LiveListener,
  type LiveStage,
} from '../conversation/stream/live.ts';

/** There is one for each conversation that runs, so that nothing is made for those who aren't there. */
interface Channel {
  /** Undefined where nobody listens. */
  listeners: Set<LiveListener> | undefined;
  onStop: readonly ((why: 'ended' | 'interrupted') => void)[];
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

  async onStop(
    conversationId: string,
    callback: (why: 'ended' | 'interrupted') => void,
  ): Promise<{ stop: () => void }> {
    const channel = this.#open(conversationId);
    channel.onStop = [...channel.onStop, callback];
    const stop = (): void => {
      channel.onStop = channel.onStop.filter((kept) => kept !== callback);
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
      this.#moveOn(channel, entry);
      if (channel.listeners) send(channel, eventFrame(conversationId, entry));
      if (entry.type === 'conversation.terminated') this.#end(channel);
      else if (channel.onStop.length > 0 && interrupts(entry)) {
        for (const callback of channel.onStop) callback('interrupted');
      }
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

  /** An attempt that began behind an event goes on, for it was announced late; and so does one that it doesn't end. */
  #moveOn(channel: Channel, entry: LogEntry): void {
    const { underWay } = channel;
    if (!underWay || underWay.afterSeq >= entry.seq) return;
    if (endsTurn(entry)) channel.underWay = undefined;
    else {
      underWay.afterSeq = entry.seq;
      underWay.afterMark = markOfEntry(entry);
    }
  }

  #end(channel: Channel): void {
    const callbacks = channel.onStop;
    channel.onStop = [];
    for (const callback of callbacks) callback('ended');
  }

  #open(conversationId: string): Channel {
    let channel = this.#channels.get(conversationId);
    if (channel === undefined) {
      channel = { listeners: undefined, onStop: [], underWay: undefined };
      this.#channels.set(conversationId, channel);
    }
    return channel;
  }

  #tidy(conversationId: string, channel: Channel): void {
    if (channel.listeners || channel.onStop.length > 0 || channel.underWay) return;
    if (this.#channels.get(conversationId) === channel) this.#channels.delete(conversationId);
  }
}

function send({ listeners }: Channel, item: LiveItem): void {
  for (const listener of listeners ?? []) listener(item);
}
