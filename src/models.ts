import type { Config } from './config/config.ts';
import { modelSettingsOf, nameInTable } from './config/model-settings.ts';
import type { Price } from './conversation/policies/budget.ts';
import { type LaneSettings, laneSettingsFor } from './protection/settings.ts';
import { priceOf } from './providers/prices.ts';

/** What a model's tokens cost: as configured, or as its vendor's price list says; undefined where neither knows. */
export function priceInForce(
  { MODEL_SETTINGS: table = {} }: Config,
  provider: string,
  model: string,
): Price | undefined {
  return modelSettingsOf(table, provider, model).price ?? priceOf(provider, model);
}

/** How calls to a model are protected: by what is configured for it, then for its provider, then for all. */
export function laneSettingsInForce(config: Config, provider: string, model: string): LaneSettings {
  const table = config.MODEL_SETTINGS ?? {};
  const { firstTokenTimeoutSeconds, callTimeoutSeconds } = modelSettingsOf(table, provider, model);
  const account = table[provider];
  const name = nameInTable(table, provider, model);
  return laneSettingsFor(provider, {
    firstTokenMs: (firstTokenTimeoutSeconds ?? config.FIRST_TOKEN_TIMEOUT_SECONDS) * 1000,
    totalMs: (callTimeoutSeconds ?? config.CALL_TIMEOUT_SECONDS) * 1000,
    requestsPerMinute: account?.requestsPerMinute,
    tokensPerMinute: account?.tokensPerMinute,
    maxConcurrentCalls: account?.maxConcurrentCalls,
    own: name === undefined ? undefined : { name, ...table[`${provider}/${name}`] },
    circuit: { failures: config.CIRCUIT_FAILURES, openMs: config.CIRCUIT_OPEN_SECONDS * 1000 },
  });
}
