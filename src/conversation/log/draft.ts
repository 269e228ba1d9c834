import type { ConversationEvent } from './events.ts';
import { apply, type ConversationState } from './state.ts';

/** Events that are to be appended as one, each folded as it is added, so that the next can follow from it. */
export class Draft {
  /** The state that they are put behind. */
  readonly before: ConversationState;
  readonly #events: ConversationEvent[] = [];
  #state: ConversationState;

  constructor(before: ConversationState) {
    this.before = before;
    this.#state = before;
  }

  /** The state behind the last of them. */
  get state(): ConversationState {
    return this.#state;
  }

  get events(): readonly ConversationEvent[] {
    return this.#events;
  }

  /** Of the next event. */
  get nextSeq(): number {
    return this.#state.lastSeq + 1;
  }

  /** @throws Error where the event's seq is not the next one */
  add(event: ConversationEvent): void {
    this.#state = apply(this.#state, event);
    this.#events.push(event);
  }
}
