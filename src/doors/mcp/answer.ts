import type { CallToolResult } from '@modelcontextprotocol/server';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.ts';
import { callerOf, holds, type Scope } from '../../server/caller.ts';
import { failureIn } from '../../server/problem.ts';

/**
 * What a tool answers: the route's own object, also as text for clients that read nothing else. A failure of our table is
 * an answer that says so, which the model can mend; it is told nothing more of a fault of the server's own.
 */
export async function answered(
  request: FastifyRequest,
  tool: string,
  scope: Scope,
  does: () => Promise<object>,
): Promise<CallToolResult> {
  try {
    assertHolds(request, scope);
    const answer = await does();
    return { content: textOf(answer), structuredContent: answer };
  } catch (error) {
    const { code, message, faults } = failureIn(error, request);
    request.log.info({ tool, code }, 'tool.refused');
    const failure = { code, detail: message, ...(faults.length > 0 ? { errors: faults } : {}) };
    return { content: textOf(failure), isError: true };
  }
}

/** @throws AppError `forbidden` */
export function assertHolds(request: FastifyRequest, scope: Scope): void {
  if (!holds(callerOf(request), scope)) {
    throw new AppError('forbidden', `This needs a key with the scope ${scope}`);
  }
}

function textOf(answer: object): CallToolResult['content'] {
  return [{ type: 'text', text: JSON.stringify(answer) }];
}
