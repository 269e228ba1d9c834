/**
 * The one table of failures that a client can meet: HTTP status, title, and whether the same request
 * may succeed when it is sent again unchanged. Codes are those of docs/protocol.md, section 2.5.
 */
export const ERRORS = {
  validation_failed: { status: 400, title: 'The request is not valid', retryable: false },
  provider_not_configured: { status: 400, title: 'The provider is not configured', retryable: false },
  invalid_cursor: { status: 400, title: 'The cursor is not valid', retryable: false },
  unauthorized: { status: 401, title: 'A key is needed', retryable: false },
  not_found: { status: 404, title: 'There is nothing here', retryable: false },
  conversation_terminated: { status: 409, title: 'The conversation has ended', retryable: false },
  sequence_conflict: { status: 409, title: 'Another writer was first', retryable: true },
  payload_too_large: { status: 413, title: 'The body is too large', retryable: false },
  unsupported_media_type: { status: 415, title: 'The media type is not supported', retryable: false },
  idempotency_mismatch: {
    status: 422,
    title: 'The idempotency key was used with another body',
    retryable: false,
  },
  rate_limited: { status: 429, title: 'Too many requests', retryable: true },
  internal: { status: 500, title: 'Something went wrong on the server', retryable: true },
  overloaded: { status: 503, title: 'The server is too busy', retryable: true },
} as const satisfies Record<string, { status: number; title: string; retryable: boolean }>;

export type ErrorCode = keyof typeof ERRORS;

/** Why the server closes a WebSocket; docs/protocol.md, section 4.4. */
export const CLOSE = {
  ended: { code: 1000, reason: 'conversation ended' },
  shutdown: { code: 1001, reason: 'server is going away; come back with your cursor' },
  failed: { code: 1011, reason: 'internal error; come back with your cursor' },
  rewritten: { code: 4410, reason: 'events were lost that you have had; come back without a cursor' },
  tooSlow: { code: 4429, reason: 'reader too slow; come back with your cursor' },
} as const;

/** One thing that is wrong with a request; `path` is dotted (`agents.0.name`). */
export interface Fault {
  path: string;
  message: string;
}

/** A failure from the table, with what is particular to this case. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly faults: readonly Fault[];
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    detail: string,
    extra: { faults?: readonly Fault[]; retryAfterSeconds?: number } = {},
  ) {
    super(detail);
    this.code = code;
    this.faults = extra.faults ?? [];
    this.retryAfterSeconds = extra.retryAfterSeconds;
  }
}

/** A `validation_failed` made of faults; the detail names the first. */
export function invalid(faults: readonly Fault[]): AppError {
  const [first] = faults;
  const detail = first ? `${first.path || 'body'}: ${first.message}` : 'The request is not valid';
  return new AppError('validation_failed', detail, { faults });
}

export function notFound(what: string): AppError {
  return new AppError('not_found', what);
}
