import { readEvent } from '../../protocol/read-event.ts';
import type { ConversationEvent } from './events.ts';
import { type ConversationLog, isLastPage, type LogEntry } from './log.ts';
import { markOfEntry } from './mark.ts';
import { type ConversationState, fold } from './state.ts';

const PAGE_EVENTS = 1000;

/** Folds the whole log, and gives the mark of the event with that seq. Undefined where there is no such log. */
export async function readState(
  log: Pick<ConversationLog, 'readOn'>,
  conversationId: string,
  markOfSeq = 0,
): Promise<{ state: ConversationState; mark: string | undefined } | undefined> {
  let state: ConversationState | undefined;
  let mark: string | undefined;
  for (;;) {
    const entries: LogEntry[] = await log.readOn(conversationId, state?.lastSeq ?? 0, PAGE_EVENTS);
    state = fold(
      state,
      entries.map(({ json }) => readEvent(json)),
    );
    const marked = entries.find(({ seq }) => seq === markOfSeq);
    if (marked) mark = markOfEntry(marked);
    if (isLastPage(entries, PAGE_EVENTS)) return state && { state, mark };
  }
}

/** Reads a log page by page. */
export async function* readEvents(
  log: Pick<ConversationLog, 'readOn'>,
  conversationId: string,
): AsyncGenerator<ConversationEvent[]> {
  for (let seq = 0; ; ) {
    const entries: LogEntry[] = await log.readOn(conversationId, seq, PAGE_EVENTS);
    if (entries.length > 0) yield entries.map(({ json }) => readEvent(json));
    if (isLastPage(entries, PAGE_EVENTS)) return;
    seq = entries.at(-1)?.seq ?? seq;
  }
}
