import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify';
import type { z } from 'zod';
import { type Fault, invalid } from '../errors.ts';

export const UNKNOWN_FIELD = 'is not a known field';
/** A body with more that is wrong is told this much of it. */
const MAX_FAULTS = 50;

/** Checks requests by their zod schemas; a request that fails is answered with `validation_failed`. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data: unknown) => {
    let parsed: z.ZodSafeParseResult<unknown>;
    try {
      // Fastify says null for a body that isn't there.
      parsed = schema.safeParse(data ?? undefined);
    } catch (error) {
      // A schema within itself, as that of conditions, is gone down by calls, for which there is a stack.
      if (!(error instanceof RangeError)) throw error;
      return { error: invalid([{ path: '', message: 'is nested too deeply' }]) };
    }
    return parsed.success ? { value: parsed.data } : { error: invalid(faultsOf(parsed.error)) };
  };

/** Answers are written as they are: that they keep to their schemas is what the tests are for. */
export const serializerCompiler: FastifySerializerCompiler<z.ZodType> = () => (data) => JSON.stringify(data);

/** Everything that a schema finds wrong. */
export function faultsOf({ issues }: z.ZodError): Fault[] {
  return issues
    .flatMap((issue): Fault[] => {
      const path = issue.path.join('.');
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: UNKNOWN_FIELD }));
      }
      if (issue.code === 'invalid_key') {
        return issue.issues.map(({ message }) => ({ path, message: `its name ${message}` }));
      }
      return [{ path, message: issue.message }];
    })
    .slice(0, MAX_FAULTS);
}
