import type { Config } from '../config/config.ts';
import { createMasker } from '../security/secrets.ts';
import { type Finding, fault, ok } from './findings.ts';

/** For all of them at the same time, in milliseconds. */
const PATIENCE_MS = 10_000;

/** The remote agents that are configured, each asked for its card. */
export async function askAgents({ A2A_AGENTS }: Pick<Config, 'A2A_AGENTS'>): Promise<Finding[]> {
  const agents = Object.entries(A2A_AGENTS ?? {});
  if (agents.length === 0) return [];
  const { checkAgent } = await import('../providers/a2a/provider.ts');
  return Promise.all(
    agents.map(async ([name, base]) => {
      const subject = `remote agent ${name}`;
      const failure = await checkAgent(base, createMasker([]), AbortSignal.timeout(PATIENCE_MS));
      const { host } = new URL(base);
      if (failure === undefined) return ok(subject, `${host} has a card of A2A 1.0`);
      return fault(subject, `${host}: ${failure}`, 'correct A2A_AGENTS, or look after the agent');
    }),
  );
}
