import type { Message } from '../conversation/log/events.ts';
import type { ConversationLog, ConversationRecord, LogEntry } from '../conversation/log/log.ts';
import type { Source } from '../protocol/message.ts';
import { readEvent } from '../protocol/read-event.ts';
import { Slices } from '../slices.ts';

/** A conversation as it was at one moment: its record, and the log up to the record's last event. */
export interface ExportSource {
  record: ConversationRecord;
  /** As clients see it, for JSON. */
  view: object;
  pages: AsyncIterable<readonly LogEntry[]>;
}

const PAGE_EVENTS = 256;

/**
 * The log of a record, page by page.
 *
 * @throws Error where the conversation is deleted meanwhile: half of it must not pass for the whole
 */
export async function* pagesOf(
  log: Pick<ConversationLog, 'readOn'>,
  { id, lastSeq }: ConversationRecord,
): AsyncGenerator<readonly LogEntry[]> {
  const slices = new Slices();
  for (let seq = 0; seq < lastSeq; ) {
    const page = await log.readOn(id, seq, Math.min(PAGE_EVENTS, lastSeq - seq));
    const last = page.at(-1);
    if (!last) throw new Error('the conversation was deleted while it was exported');
    seq = last.seq;
    yield page;
    await slices.rest();
  }
}

/** The messages of a conversation, a few at once; what was retracted is marked. */
export async function* messagesOf({ record, pages }: ExportSource): AsyncGenerator<Message[]> {
  const retracted = new Set(record.retracted);
  for await (const page of pages) {
    yield page
      .filter(({ type }) => type === 'message')
      .flatMap(({ json }) => {
        const event = readEvent(json);
        if (event.type !== 'message') return [];
        const { message } = event;
        return retracted.has(message.seq) ? { ...message, retracted: true } : message;
      });
  }
}

/** The sources that a message cites; none of one that was retracted. */
export function citedBy({ metadata, retracted }: Message): Source[] {
  return retracted ? [] : (metadata.sources ?? []).filter(({ cited }) => cited);
}

/** What stands in the place of a message that was retracted. */
export const RETRACTED = '[retracted]';
