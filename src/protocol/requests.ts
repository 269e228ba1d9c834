import { z } from 'zod';
import { conversationStatus } from './conversation.ts';
import { text } from './text.ts';

/** The body of POST /conversations/{id}/terminate; it may be left out. */
export const terminationRequest = z.strictObject({ detail: text(2000).optional() }).optional();

/** Whose path it is; what is no id is found nowhere. */
export const idParameter = z.object({ id: z.string() });

export const limit = z
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

const conversationsFields = z.object({
  status: conversationStatus.optional(),
  provider: z.string().min(1).max(64).optional(),
  q: searchText,
  createdAfter: timeParameter(Math.floor),
  createdBefore: timeParameter(Math.ceil),
  limit,
  cursor: z.string().optional(),
});

const LABEL = 'label.';

/** Besides its fields a query takes `label.KEY=VALUE`, each key once; what else it has is ignored. */
function labelled<Fields extends z.ZodRawShape>({ shape }: z.ZodObject<Fields>) {
  return z.looseObject(shape).check(({ value, issues }) => {
    for (const [name, each] of Object.entries(value)) {
      if (!name.startsWith(LABEL) || typeof each === 'string') continue;
      issues.push({ code: 'custom', path: [name], message: 'takes one value', input: each });
    }
  });
}

/** The labels that a query asks for, by their keys; undefined where there are none. */
export function labelsIn(query: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  const labels = Object.entries(query).filter(([name]) => name.startsWith(LABEL));
  if (labels.length === 0) return undefined;
  return Object.fromEntries(labels.map(([name, value]) => [name.slice(LABEL.length), String(value)]));
}

/** Of GET /conversations. */
export const conversationsQuery = labelled(conversationsFields);

const searchFields = z.object({
  q: text(2000),
  sender: z.string().min(1).max(64).optional(),
  createdAfter: timeParameter(Math.floor),
  createdBefore: timeParameter(Math.ceil),
  limit,
  cursor: z.string().optional(),
});

/** Of GET /search. */
export const searchQuery = labelled(searchFields);

/** Of GET /conversations/{id}/messages. */
export const messagesQuery = z.object({
  sender: z.string().min(1).max(64).optional(),
  q: searchText,
  limit,
  cursor: seqCursor,
});

/** Of what is read in the order of the log. */
export const logQuery = z.object({ limit, cursor: seqCursor });

/** Of GET /knowledge, and of a collection's documents. */
export const knowledgeQuery = z.object({ limit, cursor: z.string().optional() });

/** Of GET /knowledge/{collection}/search. */
export const passagesQuery = z.object({ q: text(2000), limit });

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

/** Entries of the metadata that a conversation must have. */
type Labelled = { [label: `label.${string}`]: string | undefined };

export type ConversationsQuery = Asked<typeof conversationsFields> & Labelled;
export type SearchQuery = Asked<typeof searchFields> & Labelled;
export type MessagesQuery = Asked<typeof messagesQuery>;
export type KnowledgeQuery = Asked<typeof knowledgeQuery>;
export type PassagesQuery = Asked<typeof passagesQuery>;
export type LogQuery = Asked<typeof logQuery>;
