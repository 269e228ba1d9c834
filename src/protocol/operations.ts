import { z } from 'zod';

/** How the server is, check by check: `ok`, or what is wrong. */
export const health = z.object({
  status: z.enum(['ok', 'unavailable']),
  checks: z.record(z.string(), z.string()),
});

export const provider = z.object({
  id: z.string(),
  configured: z.boolean(),
  defaultModel: z.string().nullable(),
  models: z.array(z.string()).optional(),
  /** US dollars for a million tokens, by model, where they are known. */
  prices: z.record(z.string(), z.object({ input: z.number(), output: z.number() })).optional(),
  /** The worst of the provider's models. */
  circuit: z.enum(['closed', 'open', 'half_open']),
});

export type ProviderStatus = z.infer<typeof provider>;
