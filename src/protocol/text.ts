import { z } from 'zod';

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

/** The text of a document: as `text`, but what can't be shown in it is no fault of its sender's. */
export const document = z
  .string()
  .refine((value) => value.isWellFormed(), { error: 'holds half a surrogate pair' })
  .refine((value) => value.trim() !== '', { error: 'is empty' })
  .meta({ minLength: 1 });

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
