import { ERRORS, type ErrorCode, type Fault } from './protocol/problem.ts';

export type { ErrorCode, Fault };

/** A failure from the protocol's table, with what is particular to this case. */
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

  /** Whether the same may succeed when it is asked again unchanged. */
  get retryable(): boolean {
    return ERRORS[this.code].retryable;
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
