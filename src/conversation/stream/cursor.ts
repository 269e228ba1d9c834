import { AppError } from '../../errors.ts';

/**
 * Where a reader of a stream stands: behind the event `seq` and, inside a turn, behind the first `offset`
 * UTF-16 units of what `attempt` has said.
 */
export interface Cursor {
  seq: number;
  within: { attempt: string; offset: number } | undefined;
}

/** The offset of a reader who needs no more of an attempt, however much it said: it has failed. */
export const NO_MORE = 999_999_999_999_999;

/** The cursor of a reader who has had nothing. */
export const BEGINNING: Cursor = { seq: 0, within: undefined };

// seq.tag or seq.attempt.offset.tag; all of it needs no escaping in a URL or a header. The tag stands last,
// so that a cursor that was cut short is noticed.
const FORMAT = /^(0|[1-9]\d{0,14})(?:\.([\w-]{1,64})\.(0|[1-9]\d{0,14}))?\.([\da-f]{12})$/;

/** Writes a cursor as the opaque text that clients hand back. */
export function formatCursor(conversationId: string, seq: number, attempt?: string, offset?: number): string {
  const within = attempt === undefined ? '' : `.${attempt}.${offset}`;
  return `${seq}${within}.${tagOf(conversationId)}`;
}

/**
 * Reads a cursor that a client handed back.
 *
 * @throws AppError `invalid_cursor` where it is malformed, of another conversation, or beyond `lastSeq`.
 */
export function parseCursor(text: string, conversationId: string, lastSeq: number): Cursor {
  const [, seqText, attempt, offset, tag] = FORMAT.exec(text) ?? [];
  if (seqText === undefined) throw new AppError('invalid_cursor', 'The cursor is malformed');
  if (tag !== tagOf(conversationId)) {
    throw new AppError('invalid_cursor', 'The cursor belongs to another conversation');
  }
  const seq = Number(seqText);
  if (seq > lastSeq) {
    throw new AppError('invalid_cursor', `The cursor is beyond the end of the log, which is ${lastSeq}`);
  }
  return { seq, within: attempt === undefined ? undefined : { attempt, offset: Number(offset) } };
}

/** The random end of a UUIDv7. */
function tagOf(conversationId: string): string {
  return conversationId.slice(-12);
}
