import type { Timeouts } from './call.ts';
import type { CircuitSettings } from './circuit.ts';
import type { RateSettings } from './shared-protection.ts';

export interface LaneSettings extends Timeouts, RateSettings {
  circuit: CircuitSettings;
  /** Calls at once: where the search for the vendor's limit begins, and where it ends. */
  places: { initial: number; maximum: number };
}

export const DEFAULT_LANE_SETTINGS: LaneSettings = {
  firstTokenMs: 60_000,
  totalMs: 120_000,
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
  circuit: { failures: 5, openMs: 60_000 },
  places: { initial: 16, maximum: 256 },
};

/** One's own server has no other callers, and says by its own queue what it can take. */
const LOCAL_PLACES = { initial: 4096, maximum: 4096 };

/** The settings of a lane: the defaults, the provider's own, and over them what the configuration says of the model. */
export function laneSettingsFor(
  provider: string,
  { maxConcurrentCalls, ...given }: Partial<LaneSettings> & { maxConcurrentCalls?: number | undefined },
): LaneSettings {
  const { places } = DEFAULT_LANE_SETTINGS;
  const own = provider === 'local' ? LOCAL_PLACES : places;
  return {
    ...DEFAULT_LANE_SETTINGS,
    places: maxConcurrentCalls === undefined ? own : { ...own, maximum: maxConcurrentCalls },
    ...given,
  };
}
