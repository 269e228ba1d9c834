import type { Message } from '../../conversation/log/events.ts';
import type { Frame } from '../../conversation/stream/frames.ts';
import { readEvent } from '../../protocol/read-event.ts';

/** Said where an answer broke off that was already shown; what is shown can't be taken back. */
const BROKEN_OFF = ' …\n\n*(This answer broke off.)*';
/** Messages remembered for the last one that stands. */
const REMEMBERED = 20;

/**
 * A conversation as one text: each speaker's name in bold before its words. It is fed the frames of a stream, and says
 * what each adds.
 */
export class Transcript {
  #isEmpty = true;
  /** The attempt that said something, and whose text is not yet certain. */
  #attempt: string | undefined;
  /** Whose words the text ends with, where more of them may follow. */
  #speaking: string | undefined;
  #recent: Pick<Message, 'seq' | 'content'>[] = [];

  /** What was said last and was not taken back; empty before anybody spoke. */
  get lastMessage(): string {
    return this.#recent.at(-1)?.content ?? '';
  }

  take(frame: Frame): string {
    switch (frame.type) {
      case 'turn.delta':
        return this.#deltaOf(frame);
      case 'turn.failed':
        return this.#attempt === frame.attempt?.id ? this.#breakOff() : '';
      case 'message':
      case 'message.retracted':
        return this.#eventOf(frame);
      default:
        return '';
    }
  }

  #deltaOf({ attempt, text }: Frame): string {
    if (!attempt) return '';
    const broken = this.#attempt === undefined || this.#attempt === attempt.id ? '' : this.#breakOff();
    this.#attempt = attempt.id;
    if (this.#speaking === attempt.agent) return broken + text;
    const heading = this.#heading(attempt.agent);
    this.#speaking = attempt.agent;
    return broken + heading + text;
  }

  #eventOf({ json }: Frame): string {
    const event = readEvent(json);
    if (event.type === 'message.retracted') {
      this.#recent = this.#recent.filter(({ seq }) => seq !== event.target);
      return '';
    }
    if (event.type !== 'message') return '';
    const { turn, role, sender, content, visibleTo, metadata, seq } = event.message;
    // The opening message is what was asked; a whisper is not said to all.
    if ((turn === 0 && role === 'moderator') || visibleTo) return '';
    this.#recent = [...this.#recent.slice(1 - REMEMBERED), { seq, content }];
    if (metadata.attempt !== undefined && metadata.attempt === this.#attempt) {
      this.#attempt = undefined;
      this.#speaking = undefined;
      return '';
    }
    const broken = role === 'agent' && this.#attempt !== undefined ? this.#breakOff() : '';
    const heading = this.#heading(sender);
    this.#speaking = undefined;
    return broken + heading + content;
  }

  #heading(name: string): string {
    const gap = this.#isEmpty ? '' : '\n\n';
    this.#isEmpty = false;
    return `${gap}**${name}**: `;
  }

  #breakOff(): string {
    this.#attempt = undefined;
    this.#speaking = undefined;
    return BROKEN_OFF;
  }
}
