import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify';
import { z } from 'zod';
import { type Fault, invalid } from '../errors.ts';

export const UNKNOWN_FIELD = 'is not a known field';
/** A body with more that is wrong is told this much of it. */
const MAX_FAULTS = 50;

/** Checks requests by their zod schemas; a request that fails is answered with `validation_failed`. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (data: unknown) => {
    // Fastify says null for a body that isn't there.
    const parsed = schema.safeParse(data ?? undefined);
    return parsed.success ? { value: parsed.data } : { error: invalid(faultsOf(parsed.error)) };
  };

/** Answers are written as they are: that they keep to their schemas is what the tests are for. */
export const serializerCompiler: FastifySerializerCompiler<z.ZodType> = () => (data) => JSON.stringify(data);

function faultsOf({ issues }: z.ZodError): Fault[] {
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

/**
 * Text from a client: well-formed Unicode, something besides white space, at most `maximum` code points,
 * and no control characters but line breaks and tabs.
 */
export function text(maximum: number) {
  return z
    .string()
    .check(first(faultOfText))
    .refine((value) => value.length <= maximum || [...value].length <= maximum, {
      error: `is longer than ${maximum.toLocaleString('en')} characters`,
    })
    .meta({ minLength: 1, maxLength: maximum });
}

/**
 * Text of 1 to `maximum` printable characters on one line, at least one of them to be seen:
 * https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
 */
export function line(maximum: number) {
  return text(maximum).check(first(faultOfLine));
}

/** One check for all that may be wrong with a text, of which the first is told: a chain of them costs each text more. */
function first(faultOf: (value: string) => string | undefined): z.core.CheckFn<string> {
  return ({ value, issues }) => {
    const message = faultOf(value);
    if (message !== undefined) issues.push({ code: 'custom', message, input: value, continue: false });
  };
}

function faultOfText(value: string): string | undefined {
  if (!value.isWellFormed()) return 'holds half a surrogate pair';
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  if (/[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/.test(value)) return 'holds a control character';
  return value.trim() === '' ? 'is empty' : undefined;
}

function faultOfLine(value: string): string | undefined {
  if (/[\n\r\t\u2028\u2029\u202A-\u202E\u2066-\u2069]/.test(value)) {
    return 'is not printable characters on one line';
  }
  return /[^\s\p{Default_Ignorable_Code_Point}]/u.test(value) ? undefined : 'has nothing that can be seen';
}

/** `limit` and `cursor` of a list. */
export const limit = z
  .string()
  .refine((value) => /^\d{1,3}$/.test(value) && Number(value) >= 1 && Number(value) <= 200, {
    error: 'takes a whole number from 1 to 200',
  })
  .transform(Number)
  .default(50)
  .meta({ type: 'integer', minimum: 1, maximum: 200, description: '1 to 200, default 50' });

/** A cursor that is the seq of the last item had. */
export const seqCursor = z
  .string()
  .refine((value) => /^\d{1,15}$/.test(value), { error: 'takes the seq of the last item had' })
  .transform(Number)
  .default(0)
  .meta({ type: 'integer', minimum: 0, description: 'The nextCursor of the page before' });

export const searchText = text(2000).optional();
