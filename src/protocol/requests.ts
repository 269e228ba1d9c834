import { z } from 'zod';
import { conversationStatus } from './conversation.ts';
import { text } from './text.ts';

/** The body of POST /conversations/{id}/terminate; it may be left out. */
export const terminationRequest = z.strictObject({ detail: text(2000).optional() }).optional();

/** Whose path it is; what is no id is found nowhere. */
export const idParameter = z.object({ id: z.string() });

const limit = z
  .string()
  .refine((value) => /^\d{1,3}$/.test(value) && Number(value) >= 1 && Number(value) <= 200, {
    error: 'takes a whole number from 1 to 200',
  })
  .transform(Number)
  .default(50)
  .meta({ type: 'integer', minimum: 1, maximum: 200, description: '1 to 200, default 50' });

/** A cursor that is the seq of the last item had. */
const seqCursor = z
  .string()
  .refine((value) => /^\d{1,15}$/.test(value), { error: 'takes the seq of the last item had' })
  .transform(Number)
  .default(0)
  .meta({ type: 'integer', minimum: 0, description: 'The nextCursor of the page before' });

const searchText = text(2000).optional();

/**
 * A time to whatever fraction of a second.
 *
 * @param round to whole milliseconds, in which conversations' times are: the way on which none is left out
 */
function timeParameter(round: (milliseconds: number) => number) {
  const error = 'takes a time such as 2026-01-31T12:00:00.000Z';
  return z.iso
    .datetime({ offset: true, error })
    .transform((value) => {
      const finer = Number(`0.${/\.\d{3}(\d+)/.exec(value)?.[1] ?? 0}`);
      return new Date(Date.parse(value) + round(finer));
    })
    .refine((value) => !Number.isNaN(value.getTime()), { error })
    .optional();
}

/** Of GET /conversations. */
export const conversationsQuery = z.object({
  status: conversationStatus.optional(),
  provider: z.string().min(1).max(64).optional(),
  q: searchText,
  createdAfter: timeParameter(Math.floor),
  createdBefore: timeParameter(Math.ceil),
  limit,
  cursor: z.string().optional(),
});

/** Of GET /conversations/{id}/messages. */
export const messagesQuery = z.object({
  sender: z.string().min(1).max(64).optional(),
  q: searchText,
  limit,
  cursor: seqCursor,
});

/** Of what is read in the order of the log. */
export const logQuery = z.object({ limit, cursor: seqCursor });

/** Of both streams. */
export const streamQuery = z.object({
  after: z.string({ error: 'takes one cursor' }).optional(),
  ticket: z
    .string({ error: 'takes one ticket' })
    .optional()
    .meta({ description: 'In the place of a key, where no header can be sent' }),
});

/** A query as who asks writes it. */
type Asked<Query extends z.ZodType> = Omit<z.input<Query>, 'limit'> & {
  /** 1 to 200; the server's default is 50. */
  limit?: number | undefined;
};

export type ConversationsQuery = Asked<typeof conversationsQuery>;
export type MessagesQuery = Asked<typeof messagesQuery>;
export type LogQuery = Asked<typeof logQuery>;
