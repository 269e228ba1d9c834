import { AppError, type ErrorCode } from '../../errors.ts';
import type { OpenAiError } from '../../protocol/chat-completions.ts';
import { ERRORS } from '../../protocol/problem.ts';

const UPSTREAM_STATUS = 502;

/** A failure as OpenAI's clients read it, with the status that it is answered with. */
export interface Failure {
  status: number;
  body: OpenAiError;
  retryAfterSeconds?: number | undefined;
  /** Whether a client may ask the same again by itself. */
  retryable: boolean;
}

/** What OpenAI calls what our table calls otherwise: https://platform.openai.com/docs/guides/error-codes */
const NAMES: Partial<Record<ErrorCode, { type: string; code: string }>> = {
  unauthorized: { type: 'invalid_request_error', code: 'invalid_api_key' },
  forbidden: { type: 'permission_error', code: 'insufficient_permissions' },
  rate_limited: { type: 'rate_limit_error', code: 'rate_limit_exceeded' },
  budget_spent: { type: 'insufficient_quota', code: 'insufficient_quota' },
  internal: { type: 'server_error', code: 'internal' },
  overloaded: { type: 'server_error', code: 'overloaded' },
};

/** A failure of our table in OpenAI's form. */
export function failureOf(error: AppError): Failure {
  const { type, code } = NAMES[error.code] ?? { type: 'invalid_request_error', code: error.code };
  const param = error.faults[0]?.path || null;
  return {
    status: ERRORS[error.code].status,
    body: { error: { message: error.message, type, param, code } },
    retryAfterSeconds: error.retryAfterSeconds,
    // Asked again at once, what a budget or a wrong request refuses is refused again.
    retryable: error.retryable && error.code !== 'budget_spent',
  };
}

export function unknownModel(model: string): Failure {
  const message = `The model \`${model.slice(0, 100)}\` does not exist; GET /v1/models lists those that do`;
  const error = { message, type: 'invalid_request_error', param: 'model', code: 'model_not_found' };
  return { status: ERRORS.not_found.status, body: { error }, retryable: false };
}

/** Of a conversation that failed. It is not asked again unasked: what was said of it has cost something. */
export function upstreamFailure(message: string): Failure {
  const error = { message, type: 'upstream_error', param: null, code: 'upstream_error' };
  return { status: UPSTREAM_STATUS, body: { error }, retryable: false };
}

/** A failure that is thrown on the way to its answer. */
export class FailedCompletion extends Error {
  override readonly name = 'FailedCompletion';
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.body.error.message);
    this.failure = failure;
  }
}

/** What an error comes to; undefined where it is a fault of the server's own. */
export function knownFailure(error: unknown): Failure | undefined {
  if (error instanceof FailedCompletion) return error.failure;
  return error instanceof AppError ? failureOf(error) : undefined;
}
