import { TaskState } from '@a2a-js/sdk';
import { ProviderError, type ProviderFailure } from '../../conversation/turn/provider.ts';
import { HttpFailure } from './fetch.ts';
import { TaskFailure } from './reply.ts';

/** Codes of JSON-RPC and of A2A: https://a2a-protocol.org/v1.0.0/specification/#54-error-code-mappings */
export const RPC = {
  taskNotFound: -32_001,
  unsupportedOperation: -32_004,
  methodNotFound: -32_601,
} as const;

/** What they mean for whoever called; of others the words decide. */
const BY_RPC: Readonly<Record<number, ProviderFailure>> = {
  [RPC.taskNotFound]: 'bad_request',
  [RPC.unsupportedOperation]: 'bad_request',
  // No content type of ours.
  [-32_005]: 'bad_request',
  // An answer of the agent that its own server refuses.
  [-32_006]: 'malformed',
  // An extension that we don't have, or another version of the protocol: nothing that another try changes.
  [-32_008]: 'not_found',
  [-32_009]: 'not_found',
  [-32_600]: 'bad_request',
  [RPC.methodNotFound]: 'not_found',
  [-32_602]: 'bad_request',
};

const BY_STATE: Readonly<Partial<Record<TaskState, [ProviderFailure, string]>>> = {
  [TaskState.TASK_STATE_CANCELED]: ['server_error', 'The agent cancelled its task'],
  [TaskState.TASK_STATE_REJECTED]: ['content_refused', 'The agent rejected the task'],
  [TaskState.TASK_STATE_AUTH_REQUIRED]: ['authentication', 'The agent wants to know who asks'],
};

/** The code of a JSON-RPC error, as the SDK throws it, or as it came with a status. */
export function codeOf(thrown: unknown): number | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const told = error instanceof HttpFailure ? Object(error.error).error : error;
    const code: unknown = Object(told).envelopeCode ?? Object(told).code;
    if (typeof code === 'number') return code;
  }
  return undefined;
}

/** What the SDK threw, or a task that failed, as `classify` takes it: an error of ours, or one with the agent's words. */
export function readable(thrown: unknown): unknown {
  if (thrown instanceof TaskFailure) {
    const [code, what] = BY_STATE[thrown.state] ?? [];
    if (code === undefined) return { error: { message: thrown.message || "The agent's task failed" } };
    return new ProviderError(code, thrown.message === '' ? `${what}` : `${what}: ${thrown.message}`);
  }
  if (thrown instanceof HttpFailure || thrown instanceof ProviderError) return thrown;
  const code = codeOf(thrown);
  if (code === undefined) return thrown;
  const { message } = innermost(thrown as Error);
  const failure = BY_RPC[code];
  return failure ? new ProviderError(failure, message) : { error: { message } };
}

/** The SDK wraps an error that came within a stream. */
function innermost(error: Error): Error {
  return error.cause instanceof Error ? innermost(error.cause) : error;
}
