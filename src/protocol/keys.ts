import { z } from 'zod';
import { time } from './fields.ts';

/** What a key may do; docs/protocol.md, section 8.4. */
const scope = z.enum(
  ['conversations:read', 'conversations:write', 'metrics:read', 'admin'],
  'takes conversations:read, conversations:write, metrics:read and admin',
);

const name = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, 'takes small letters, digits, - and _, at most 63');

const atLeastOne = z.int().min(1);

/** What one key may take; what is left out has no limit. Days begin at midnight UTC. */
const limits = z.strictObject({
  requestsPerMinute: atLeastOne.optional(),
  /** Of those that it made, how many run at once; the others wait. */
  activeConversations: atLeastOne.optional(),
  streams: atLeastOne.optional(),
  tokensPerDay: z.int().min(0).optional(),
  costUsdPerDay: z.number().min(0).optional(),
});

/** The name of a tenant, as keys and `X-AIC-Tenant` have it. */
export const tenantName = name;

/** An entry of API_KEYS; docs/protocol.md, section 8.3. */
export const keyEntry = z.strictObject({
  name,
  tenant: tenantName,
  /** Of the whole key, in hex. */
  sha256: z
    .string()
    .regex(/^[\da-f]{64}$/i, 'takes 64 hexadecimal digits')
    .transform((digest) => digest.toLowerCase()),
  scopes: z.array(scope).min(1),
  expiresAt: z.iso.datetime({ offset: true, error: 'takes a time such as 2026-01-31T12:00:00Z' }).optional(),
  limits: limits.optional(),
});

/** Who asks, as GET /whoami tells it. */
export const identity = z
  .object({ name: z.string(), tenant: z.string(), scopes: z.array(scope), limits })
  .meta({ id: 'Identity' });

/** What POST /conversations/{id}/tickets gives; docs/protocol.md, section 8.5. */
export const ticket = z.object({ ticket: z.string(), expiresAt: time }).meta({ id: 'Ticket' });

export type Scope = z.infer<typeof scope>;
export type KeyEntry = Readonly<z.output<typeof keyEntry>>;
export type KeyLimits = Readonly<z.infer<typeof limits>>;
export type Identity = z.infer<typeof identity>;
export type Ticket = z.infer<typeof ticket>;
