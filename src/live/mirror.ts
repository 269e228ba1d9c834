import type { LogEntry } from '../conversation/log/log.ts';
import type { AttemptUnderWay } from '../conversation/stream/frames.ts';
import { readEvent } from '../protocol/read-event.ts';
import type { LocalLive } from './local.ts';
import type { Delta, LiveMessage } from './messages.ts';

/**
 * Shows within this process what another instance says of a conversation: it keeps the attempt under way with
 * its text so far, checks that every piece joins on, and asks for a snapshot where one doesn't. The frames
 * are those of an attempt that is made here. An attempt whose instance died stays until another begins.
 */
export class Mirror {
  readonly #local: LocalLive;
  readonly #id: string;
  readonly #ask: (follows: string | null) => void;
  #lastSeq = 0;
  /** Whether a snapshot was asked for and hasn't come; there is none where nothing is under way. */
  #asking = false;

  constructor(local: LocalLive, conversationId: string, ask: (follows: string | null) => void) {
    this.#local = local;
    this.#id = conversationId;
    this.#ask = ask;
  }

  ask(): void {
    this.#asking = true;
    this.#ask(null);
  }

  take(message: LiveMessage): void {
    if ('started' in message) this.#start(message.started, message.renew);
    else if ('snapshot' in message) this.#catchUp(message.snapshot);
    else if ('delta' in message) this.#add(message.delta);
    else if ('failed' in message) this.#fail(message.failed);
  }

  /** Before events are shown that another instance appended: says what was to come of the attempt they end. */
  complete(entries: readonly LogEntry[]): void {
    const attempt = this.#local.underWay(this.#id);
    if (attempt === undefined) return;
    const entry = entries.find(({ seq }) => seq === attempt.afterSeq + 1);
    const event = entry && readEvent(entry.json);
    if (event?.type !== 'message') return;
    const { content, metadata } = event.message;
    if (metadata.attempt === attempt.id && content.startsWith(attempt.text))
      this.#say(attempt, content.slice(attempt.text.length));
  }

  appended(lastSeq: number): void {
    this.#lastSeq = Math.max(this.#lastSeq, lastSeq);
    this.#asking = false;
  }

  #start(started: Omit<AttemptUnderWay, 'text'>, renew: boolean): void {
    if (started.afterSeq < this.#lastSeq) return;
    this.#asking = false;
    if (this.#local.underWay(this.#id)?.id !== started.id)
      this.#local.started(this.#id, { ...started, text: '' });
    if (renew) this.#ask(started.id);
  }

  #catchUp(snapshot: AttemptUnderWay): void {
    if (snapshot.afterSeq < this.#lastSeq) return;
    this.#asking = false;
    const attempt = this.#local.underWay(this.#id);
    if (attempt?.id !== snapshot.id) this.#local.cameUpon(this.#id, snapshot);
    else this.#say(attempt, snapshot.text.slice(attempt.text.length));
  }

  #add({ attempt: id, afterSeq, from, text }: Delta): void {
    if (afterSeq < this.#lastSeq) return;
    const attempt = this.#local.underWay(this.#id);
    if (attempt && attempt.id !== id) return;
    const known = attempt?.text.length ?? -1;
    if (attempt && known >= from) this.#say(attempt, text.slice(known - from));
    else if (!this.#asking) this.ask();
  }

  #fail({
    attempt: id,
    error,
    retryInMs,
  }: {
    attempt: string;
    error: string;
    retryInMs: number | null;
  }): void {
    const attempt = this.#local.underWay(this.#id);
    if (attempt?.id === id) this.#local.failed(this.#id, attempt, { error, retryInMs });
  }

  #say(attempt: AttemptUnderWay, text: string): void {
    if (text !== '') this.#local.said(this.#id, attempt, text);
  }
}
