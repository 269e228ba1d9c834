import type { Config } from '../config/config.ts';
import type { Guards, ScannerName } from '../conversation/stages/guard.ts';
import { createGuards } from './guards.ts';
import { injection } from './injection.ts';
import { invisible } from './invisible.ts';
import { llmGuardAt } from './llm-guard.ts';
import { personalData } from './personal-data.ts';
import { secrets } from './secrets.ts';

/** What looks at texts, as the configuration says: the only place that knows which scanners there are. */
export function configuredGuards(
  config: Config,
  onFailure: (scanner: ScannerName, error: unknown) => void,
): Guards {
  const { ENABLE_LLM_GUARD, LLM_GUARD_URL } = config;
  return createGuards({
    modes: {
      secrets: config.GUARD_SECRETS,
      personal_data: config.GUARD_PERSONAL_DATA,
      invisible: config.GUARD_INVISIBLE,
      injection: config.GUARD_INJECTION,
      llm_guard: config.GUARD_LLM_GUARD,
    },
    // What hides text goes first, so that it hides nothing from the others.
    scanners: [invisible, secrets, personalData, injection],
    remote: ENABLE_LLM_GUARD && LLM_GUARD_URL !== undefined ? llmGuardAt(LLM_GUARD_URL) : undefined,
    onFailure,
  });
}
