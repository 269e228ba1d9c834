import { z } from 'zod';
import { creationRequest } from './creation.ts';
import { pauseRequest, sayRequest } from './hands.ts';
import { messagesQuery, terminationRequest } from './requests.ts';

/** What the tools of the MCP door take: the routes' own fields, beside the id that those have in their path. */

const id = z.string().meta({ description: 'The id of a conversation' });
const limit = z
  .number('takes a whole number from 1 to 200')
  .int('takes a whole number from 1 to 200')
  .min(1, 'takes a whole number from 1 to 200')
  .max(200, 'takes a whole number from 1 to 200')
  .optional()
  .meta({ description: '1 to 200, default 50' });

/** The longest that a call waits for an end, in seconds. */
export const LONGEST_WAIT_SECONDS = 50;
const WAIT = `takes a number of seconds from 0 to ${LONGEST_WAIT_SECONDS}`;

/** Of no name, by which a schema would only be pointed to: models read it where it stands. */
export function startArguments(maxMessageLength: number) {
  return creationRequest(maxMessageLength).extend({});
}

export const idArguments = z.strictObject({ id });

export const readMessagesArguments = z.strictObject({
  id,
  sender: messagesQuery.shape.sender,
  q: messagesQuery.shape.q,
  limit,
  cursor: z.string().optional().meta({ description: 'The nextCursor of the page before' }),
});

export const searchArguments = z.strictObject({
  q: z
    .string()
    .meta({ description: 'Words that must all occur; "a phrase" as it stands, word* as a beginning' }),
  sender: z.string().optional(),
  createdAfter: z.string().optional().meta({ format: 'date-time' }),
  createdBefore: z.string().optional().meta({ format: 'date-time' }),
  limit,
  cursor: z.string().optional().meta({ description: 'The nextCursor of the page before' }),
});

export const waitArguments = z.strictObject({
  id,
  timeoutSeconds: z
    .number(WAIT)
    .min(0, WAIT)
    .max(LONGEST_WAIT_SECONDS, WAIT)
    .optional()
    .meta({ description: `How long to wait; ${LONGEST_WAIT_SECONDS} if not said` }),
});

export function sayArguments(maxMessageLength: number) {
  return sayRequest(maxMessageLength).extend({ id });
}

export const pauseArguments = pauseRequest.unwrap().extend({ id });
export const endArguments = terminationRequest.unwrap().extend({ id });
