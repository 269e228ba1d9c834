import { z } from 'zod';
import type { StoredEvent } from './events.ts';

/** Events that one import may have: it is written at once. */
const MOST_IMPORTED_EVENTS = 20_000;
/** Bytes of one, as JSON. */
export const MOST_IMPORTED_BYTES = 16 * 1024 * 1024;

/** The body of POST /conversations/import: what a conversation was exported as in `json`. */
export const importRequest = z
  .strictObject({
    /** Only its `id` and `startedAt` are looked at: all else follows from the events. */
    conversation: z
      .object({ id: z.string().max(64).optional(), startedAt: z.string().max(64).nullish() })
      .optional(),
    events: z
      .array(z.unknown())
      .min(1, 'takes the events of a log')
      .max(MOST_IMPORTED_EVENTS, `takes at most ${MOST_IMPORTED_EVENTS.toLocaleString('en')} events`),
  })
  .meta({ id: 'ImportConversation' });

/** An exported conversation; in `jsonl` there are its events alone. */
export interface ExportedConversation {
  conversation?: { id?: string | undefined; startedAt?: string | null | undefined } | undefined;
  events: readonly (StoredEvent | Readonly<Record<string, unknown>>)[];
}
