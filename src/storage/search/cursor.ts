import { AppError } from '../../errors.ts';

/** Behind which message a page begins. */
export interface SearchCursor {
  /** The newest message that there was at the first page. */
  upTo: number;
  key: number;
  /** Null where it had no rank. */
  score: number | null;
}

const FORM = /^([\da-z]{1,11})\.([\da-z]{1,11})\.([\da-f]{16})?$/;

export function formatCursor({ upTo, key, score }: SearchCursor): string {
  const bytes = Buffer.alloc(8);
  if (score !== null) bytes.writeDoubleBE(score);
  return `${upTo.toString(36)}.${key.toString(36)}.${score === null ? '' : bytes.toString('hex')}`;
}

/** @throws AppError `invalid_cursor` */
export function parseCursor(cursor: string): SearchCursor {
  const [, upTo, key, score] = FORM.exec(cursor) ?? [];
  const read = {
    upTo: Number.parseInt(upTo ?? '', 36),
    key: Number.parseInt(key ?? '', 36),
    score: score === undefined ? null : Buffer.from(score, 'hex').readDoubleBE(),
  };
  const isSound = Number.isSafeInteger(read.upTo) && Number.isSafeInteger(read.key);
  if (!isSound || (read.score !== null && !Number.isFinite(read.score))) {
    throw new AppError('invalid_cursor', 'The cursor is malformed');
  }
  return read;
}
