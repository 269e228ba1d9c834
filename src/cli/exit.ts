import { ConnectionError, ProblemError } from '../client/failures.ts';
import type { Ending } from '../client/types.ts';

/** What a command's end says to the script that called it; docs/cli.md. */
export const EXIT = {
  ok: 0,
  /** The conversation ended by an error, or a fault was found. */
  failed: 1,
  /** The command is wrong. */
  usage: 2,
  /** No server answers. */
  unreachable: 3,
  refused: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Ends a command with a line on standard error, or without a word where the message is empty. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: ExitCode;

  constructor(exitCode: ExitCode, message = '', options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** Ends of which a script should know that they were none as planned. */
const BY_ERROR: ReadonlySet<string> = new Set([
  'provider_error',
  'configuration_error',
  'circuit_open',
  'guard_blocked',
  'storage_error',
]);

export function exitCodeOf(ending: Ending | null): ExitCode {
  return ending && BY_ERROR.has(ending.reason) ? EXIT.failed : EXIT.ok;
}

/**
 * What went wrong, in lines for people, and the exit code that says so.
 *
 * @param where how the server was asked for, as people know it
 */
export function explain(error: unknown, where: string): CommandError {
  if (error instanceof CommandError) return error;
  if (error instanceof ProblemError) {
    const faults = error.errors.map(({ path, message }) => `  ${path}: ${message}`);
    const refused = `${where} refused: ${error.detail} (${error.code})${tip(error)}`;
    return new CommandError(exitCodeOfStatus(error.status), [refused, ...faults].join('\n'));
  }
  if (error instanceof ConnectionError) {
    const advice = 'Is the server running? `aic serve` starts one; --server or AIC_SERVER says where it is.';
    return new CommandError(EXIT.unreachable, `${error.message}. ${advice}`);
  }
  const name = error instanceof Error ? error.name : '';
  const message = error instanceof Error ? error.message : String(error);
  if (name === 'HeldError') {
    return new CommandError(EXIT.refused, `${message}. Speak to it with --server or AIC_SERVER.`);
  }
  if (name === 'ConfigurationError') return new CommandError(EXIT.usage, message);
  if (name === 'StorageError') return new CommandError(EXIT.failed, message);
  return new CommandError(EXIT.failed, message);
}

function tip({ status }: ProblemError): string {
  return status === 401 ? '; AIC_API_KEY takes the key' : '';
}

function exitCodeOfStatus(status: number): ExitCode {
  if (status >= 500) return EXIT.unreachable;
  if (status === 400 || status === 413 || status === 415 || status === 422) return EXIT.usage;
  return EXIT.refused;
}
