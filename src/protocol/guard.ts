import { z } from 'zod';
import { count } from './fields.ts';

/** What looks at texts; docs/protocol.md, section 8.6. */
const scannerName = z.enum(['secrets', 'personal_data', 'invisible', 'injection', 'llm_guard']);

/** What is done about what a scanner finds, each stricter than the one before it. */
const guardMode = z.enum(['off', 'flag', 'redact', 'block'], 'takes off, flag, redact or block');

// Null is as if it weren't said.
const mode = guardMode.nullish();

/** What a conversation wants to be stricter than the server's configuration. */
export const guardSettings = z.strictObject({
  secrets: mode,
  personal_data: mode,
  invisible: mode,
  injection: mode,
  llm_guard: mode,
});

/** What a scanner found in a text, never the text itself. */
export const guardFinding = z.object({
  scanner: scannerName,
  kind: z.string(),
  /** `error` where the scanner could not look, and the text passed all the same. */
  action: z.enum(['flag', 'redact', 'block', 'error']),
  count,
});

export type ScannerName = z.infer<typeof scannerName>;
export type GuardMode = z.infer<typeof guardMode>;
export type GuardSettings = z.infer<typeof guardSettings>;
export type GuardFinding = z.infer<typeof guardFinding>;
