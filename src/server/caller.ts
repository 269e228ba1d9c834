import type { FastifyRequest } from 'fastify';
import type { ZodType } from 'zod';
import { EVERY_TENANT, type TenantScope } from '../conversation/log/log.ts';
import { DEFAULT_TENANT } from '../protocol/events.ts';
import type { Identity, Scope } from '../protocol/keys.ts';

export type { Scope };

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key needs for this route. `key`: any key will do; `open`: it needs none. */
    scope?: Scope | 'key' | 'open';
    /** Whether a ticket of the conversation opens it, too. */
    takesTickets?: boolean;
    /** What comes as a body, by its media type, where the route reads it itself; for the OpenAPI document alone. */
    reads?: Readonly<Record<string, ZodType>>;
  }
  interface FastifyRequest {
    /** Null on routes that are open. */
    caller: Caller | null;
  }
}

/** Who asks. */
export interface Caller {
  /** The name of the key; undefined where there are no keys. */
  key: string | undefined;
  /** The digest of the key, by which it is known whether it is still in force; undefined where there are no keys. */
  digest: string | undefined;
  /** For whom it makes something, and whose names are meant. */
  tenant: string;
  /** Whose conversations it may see. */
  reads: TenantScope;
  scopes: readonly Scope[];
  identity: Identity;
}

/** Who asks where there are no keys. */
export const ANONYMOUS: Caller = {
  key: undefined,
  digest: undefined,
  tenant: DEFAULT_TENANT,
  reads: EVERY_TENANT,
  scopes: ['admin'],
  identity: {
    name: 'anonymous',
    tenant: DEFAULT_TENANT,
    scopes: ['conversations:read', 'conversations:write', 'metrics:read', 'admin'],
    limits: {},
  },
};

/** Who asks. Whatever a route reads or writes, it reads and writes for this tenant. */
export function callerOf({ caller }: FastifyRequest): Caller {
  if (!caller) throw new Error('an open route asks who its caller is');
  return caller;
}

/** The scopes that open what asks for one. */
const OPENED_BY: Readonly<Record<Scope, readonly Scope[]>> = {
  'conversations:read': ['conversations:read', 'conversations:write', 'admin'],
  'conversations:write': ['conversations:write', 'admin'],
  'metrics:read': ['metrics:read', 'admin'],
  admin: ['admin'],
};

/** Whether somebody may do what asks for a scope. */
export function holds({ scopes }: Pick<Caller, 'scopes'>, scope: Scope): boolean {
  return OPENED_BY[scope].some((opening) => scopes.includes(opening));
}
