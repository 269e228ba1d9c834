import type { Timeouts } from './call.ts';
import type { CircuitSettings } from './circuit.ts';
import type { RateSettings } from './shared-protection.ts';

/** Timeouts and circuit are a model's own; the rates and places are its account's. */
export interface LaneSettings extends Timeouts, RateSettings {
  circuit: CircuitSettings;
  /** Calls at once: where the search for the vendor's limit begins, and where it ends. */
  places: { initial: number; maximum: number };
  /** Whether a pause that the vendor asks for holds for all models of the account, or for the one. */
  pauses: 'account' | 'model';
  /** What is said of a model, by the name of which it is a version; it holds besides the account's. */
  own?: (Partial<RateSettings> & { name: string; maxConcurrentCalls?: number | undefined }) | undefined;
}

export const DEFAULT_LANE_SETTINGS: LaneSettings = {
  firstTokenMs: 60_000,
  totalMs: 120_000,
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
  circuit: { failures: 5, openMs: 60_000 },
  places: { initial: 16, maximum: 256 },
  pauses: 'model',
};

/** One's own server has no other callers, and says by its own queue what it can take. */
const LOCAL_PLACES = { initial: 4096, maximum: 4096 };

/**
 * The settings of a lane: the defaults, the provider's own, and over them what the configuration says. Vendors count
 * by model (https://platform.openai.com/docs/guides/rate-limits, https://platform.claude.com/docs/en/api/rate-limits,
 * https://ai.google.dev/gemini-api/docs/rate-limits), but for an account of which the configuration says what it has
 * for all its models.
 */
export function laneSettingsFor(
  provider: string,
  { maxConcurrentCalls, ...given }: Partial<LaneSettings> & { maxConcurrentCalls?: number | undefined },
): LaneSettings {
  const { places } = DEFAULT_LANE_SETTINGS;
  const own = provider === 'local' ? LOCAL_PLACES : places;
  const isOfAccount = given.requestsPerMinute !== undefined || given.tokensPerMinute !== undefined;
  return {
    ...DEFAULT_LANE_SETTINGS,
    places: maxConcurrentCalls === undefined ? own : { ...own, maximum: maxConcurrentCalls },
    pauses: isOfAccount ? 'account' : 'model',
    ...given,
  };
}

/**
 * Whose limits the calls of a model count towards: those of a vendor's account with all its models. Each remote agent
 * is a server of its own, and what one can't take says nothing of the others.
 */
export function accountOf(provider: string, model: string): string {
  return provider === 'a2a' ? `${provider}/${model}` : provider;
}

/** What a dated version and its alias have in common, so that a pause can't be passed by under the other name. */
export function pauseNameOf(model: string): string {
  return model.replace(/(?:[-@](?:\d{4}-\d{2}-\d{2}|\d{6,8}|\d{2}-\d{2}|latest|preview|exp))+$/, '');
}
