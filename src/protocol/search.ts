import { z } from 'zod';
import { count, seq, time } from './fields.ts';

/** A message that a search has found; docs/protocol.md, section 2.8. */
export const searchHit = z
  .object({
    conversationId: z.string().meta({ format: 'uuid' }),
    topic: z.string(),
    seq,
    turn: count,
    sender: z.string(),
    /** The message's own time. */
    at: time,
    /** Plain text out of the message, at most 200 characters. */
    snippet: z.string(),
    /** Where in the snippet stands what was looked for: UTF-16 offsets, the second behind the last character. */
    highlights: z.array(z.tuple([count, count])),
  })
  .meta({ id: 'SearchHit' });

export type SearchHit = z.infer<typeof searchHit>;
