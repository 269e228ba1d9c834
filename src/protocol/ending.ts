import { z } from 'zod';
import { by } from './fields.ts';

/** Why a conversation ended; docs/protocol.md, section 2.3. A new reason is an addition, never a renaming. */
export const terminationReason = z.enum([
  'max_turns',
  'phrase',
  'repetition',
  'timeout',
  'token_budget',
  'cost_budget',
  'circuit_open',
  'provider_error',
  'configuration_error',
  'guard_blocked',
  'user',
  'completed',
  'consensus',
  'condition',
  'storage_error',
]);

/** Why and by whom a conversation was ended; `detail` says what in particular. */
export const ending = z
  .object({ reason: terminationReason, detail: z.string().optional(), by })
  .meta({ id: 'Ending' });

export type TerminationReason = z.infer<typeof terminationReason>;
export type Ending = z.infer<typeof ending>;
