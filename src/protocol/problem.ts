import { z } from 'zod';

/**
 * The one table of failures that a client can meet: HTTP status, title, and whether the same request
 * may succeed when it is sent again unchanged. Codes are those of docs/protocol.md, section 2.5.
 */
export const ERRORS = {
  validation_failed: { status: 400, title: 'The request is not valid', retryable: false },
  provider_not_configured: { status: 400, title: 'The provider is not configured', retryable: false },
  invalid_cursor: { status: 400, title: 'The cursor is not valid', retryable: false },
  unauthorized: { status: 401, title: 'A key is needed', retryable: false },
  forbidden: { status: 403, title: 'This is not allowed', retryable: false },
  not_found: { status: 404, title: 'There is nothing here', retryable: false },
  conversation_terminated: { status: 409, title: 'The conversation has ended', retryable: false },
  conflict: { status: 409, title: 'The conversation is in no state for this', retryable: false },
  payload_too_large: { status: 413, title: 'The body is too large', retryable: false },
  unsupported_media_type: { status: 415, title: 'The media type is not supported', retryable: false },
  misdirected: { status: 421, title: 'This server is not the one that is named', retryable: false },
  idempotency_mismatch: {
    status: 422,
    title: 'The idempotency key was used with another body',
    retryable: false,
  },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  budget_spent: { status: 429, title: 'The budget of the day is spent', retryable: true },
  internal: { status: 500, title: 'Something went wrong on the server', retryable: true },
  overloaded: { status: 503, title: 'The server is too busy', retryable: true },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** One thing that is wrong with a request; `path` is dotted (`agents.0.name`). */
const fault = z.object({ path: z.string(), message: z.string() });

/** RFC 9457, https://www.rfc-editor.org/rfc/rfc9457: what every failed request is answered with. */
export const problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string(),
    code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    errors: z.array(fault).optional(),
  })
  .meta({ id: 'Problem', description: 'What went wrong, and where.' });

export type Fault = z.infer<typeof fault>;
export type Problem = z.infer<typeof problem>;
