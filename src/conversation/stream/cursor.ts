import { AppError } from '../../errors.ts';
import type { ConversationLog } from '../log/log.ts';
import { markOfEntry } from '../log/mark.ts';

/**
 * Where a reader of a stream stands: behind the event `seq` and, inside a turn, behind the first `offset`
 * UTF-16 units of what `attempt` has said.
 */
export interface Cursor {
  seq: number;
  /**
   * Of that event: in another history, in which the storage lost its last moments and was written on, the event
   * with this seq has another. Undefined at the beginning, and in cursors of releases that had no marks.
   */
  mark: string | undefined;
  within: { attempt: string; offset: number } | undefined;
}

/** The offset of a reader who needs no more of an attempt, however much it said: it has failed. */
export const NO_MORE = 999_999_999_999_999;

/** The cursor of a reader who has had nothing. */
export const BEGINNING: Cursor = { seq: 0, mark: undefined, within: undefined };

// seq.mark.tag or seq.mark.attempt.offset.tag, each also without the mark; all of it needs no escaping in a URL
// or a header. The tag stands last, so that a cursor that was cut short is noticed.
const FORMAT = /^(0|[1-9]\d{0,14})(?:\.([\da-f]{8}))?(?:\.([\w-]{1,64})\.(0|[1-9]\d{0,14}))?\.([\da-f]{12})$/;

/** Writes a cursor as the opaque text that clients hand back. */
export function formatCursor(
  conversationId: string,
  seq: number,
  mark: string | undefined,
  attempt?: string,
  offset?: number,
): string {
  const marked = mark === undefined ? '' : `.${mark}`;
  const within = attempt === undefined ? '' : `.${attempt}.${offset}`;
  return `${seq}${marked}${within}.${tagOf(conversationId)}`;
}

/**
 * Reads a cursor that a client handed back.
 *
 * @param lastSeq the log's end; Infinity where a log may have lost what a cursor stands behind
 * @throws AppError `invalid_cursor` where it is malformed, of another conversation, or beyond `lastSeq`
 */
export function parseCursor(text: string, conversationId: string, lastSeq: number): Cursor {
  const [, seqText, mark, attempt, offset, tag] = FORMAT.exec(text) ?? [];
  if (seqText === undefined) throw new AppError('invalid_cursor', 'The cursor is malformed');
  if (tag !== tagOf(conversationId)) {
    throw new AppError('invalid_cursor', 'The cursor belongs to another conversation');
  }
  const seq = Number(seqText);
  if (seq > lastSeq) {
    throw new AppError('invalid_cursor', `The cursor is beyond the end of the log, which is ${lastSeq}`);
  }
  return { seq, mark, within: attempt === undefined ? undefined : { attempt, offset: Number(offset) } };
}

/**
 * Whether the event that a cursor stands behind is the one in the log, and no history took the place of another.
 * Without a mark any event will do.
 */
export async function stands(
  queue: Pick<ConversationLog, 'readOn'>,
  conversationId: string,
  { seq, mark }: Pick<Cursor, 'seq' | 'mark'>,
): Promise<boolean> {
  if (seq === 0) return true;
  const [entry] = await queue.readOn(conversationId, seq - 1, 1);
  return entry !== undefined && (mark === undefined || mark === markOfEntry(entry));
}

/** The random end of a UUIDv7. */
function tagOf(conversationId: string): string {
  return conversationId.slice(-12);
}
