import type { FastifyRequest } from 'fastify';
import type { TenantScope } from '../conversation/log/log.ts';
import { DEFAULT_TENANT } from '../protocol/events.ts';

/** What a key may do; docs/protocol.md, section 8.4. */
export type Scope = 'conversations:read' | 'conversations:write' | 'metrics:read' | 'admin';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a key needs for this route. `key`: any key will do; `open`: it needs none. */
    scope?: Scope | 'key' | 'open';
  }
}

/** Who asks. */
export interface Caller {
  /** The name of the key; undefined where there are no keys. */
  key: string | undefined;
  /** For whom it makes something, and whose names are meant. */
  tenant: string;
  /** Whose conversations it may see. */
  reads: TenantScope;
  scopes: readonly Scope[];
}

/** Who asks where there are no keys. */
const ANONYMOUS: Caller = {
  key: undefined,
  tenant: DEFAULT_TENANT,
  reads: DEFAULT_TENANT,
  scopes: ['admin'],
};

/** Who asks. Whatever a route reads or writes, it reads and writes for this tenant. */
export function callerOf(_request: FastifyRequest): Caller {
  return ANONYMOUS;
}
