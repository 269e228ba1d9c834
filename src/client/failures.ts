import type { Problem, ProblemFault } from './types.ts';

/** The server refused a request and said why; docs/protocol.md, section 2.5. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  /** From the protocol's list; `unknown` where something between here and the server answered instead. */
  readonly code: string;
  /** The HTTP status. */
  readonly status: number;
  readonly detail: string;
  /** What is wrong with the request, one by one; empty where the server lists nothing. */
  readonly errors: readonly ProblemFault[];
  /** How long the server asked to be left alone, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    problem: Pick<Problem, 'status' | 'detail' | 'errors'> & { code: string },
    retryAfterMs?: number,
  ) {
    super(problem.detail);
    this.code = problem.code;
    this.status = problem.status;
    this.detail = problem.detail;
    this.errors = problem.errors ?? [];
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request may succeed later. */
  get retryable(): boolean {
    return this.status === 429 || this.status >= 500;
  }
}

/** No usable answer came: nothing listens there, it took too long, or it is no such server. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

/** Reads why a request failed from its answer, whatever the answer looks like. */
export async function problemOf(response: Response): Promise<ProblemError> {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
  const retryAfterMs = Number.isFinite(seconds) ? seconds * 1000 : undefined;
  const body: unknown = await response.json().catch(() => undefined);
  const problem: Partial<Problem> = typeof body === 'object' && body !== null ? body : {};
  return new ProblemError(
    {
      code: problem.code ?? 'unknown',
      status: response.status,
      detail: problem.detail ?? problem.title ?? `The server answered ${response.status}`,
      errors: problem.errors ?? [],
    },
    retryAfterMs,
  );
}
