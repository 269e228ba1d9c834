import type { CircuitState, Lane } from '../conversation/turn/lane.ts';
import { Account } from './account.ts';
import { LocalLane } from './lane.ts';
import { accountOf, type LaneSettings } from './settings.ts';
import { type SharedProtection, UNSHARED } from './shared-protection.ts';

/** A circuit's change of state, for those who count and write it down. */
export interface CircuitChange {
  provider: string;
  model: string;
  from: CircuitState;
  to: CircuitState;
}

/** How busy a lane is. */
export interface LaneLoad {
  provider: string;
  model: string;
  circuit: CircuitState;
  running: number;
  waiting: number;
  places: number;
}

/** All lanes of this process. */
export interface Lanes {
  /** To be asked for each attempt: a lane that has been idle may be replaced by a new one. */
  lane(provider: string, model: string): Lane;
  /** The worst of the provider's models: open, then half-open, then closed. */
  circuitOf(provider: string): CircuitState;
  /** Each of them as it is now. */
  loads(): LaneLoad[];
}

/** Users name models, so there may be any number of them; what is in use is bounded by the conversations. */
const MOST_LANES = 1000;
const BY_BADNESS: readonly CircuitState[] = ['open', 'half_open', 'closed'];

interface Entry {
  readonly key: string;
  readonly provider: string;
  readonly model: string;
  readonly lane: LocalLane;
  lastUse: number;
}

export function createLanes(
  settingsFor: (provider: string, model: string) => LaneSettings,
  hooks: { onChange: (change: CircuitChange) => void },
  shared: SharedProtection = UNSHARED,
  mostLanes = MOST_LANES,
): Lanes {
  const entries = new Map<string, Entry>();
  const accounts = new Map<string, Account>();
  let uses = 0;

  /** Of the idle ones the one longest unused; one whose circuit is not closed only when there is no other. */
  const dropOne = (): boolean => {
    let chosen: Entry | undefined;
    const cost = ({ lane, lastUse }: Entry): number =>
      lastUse + (lane.circuit() === 'closed' ? 0 : Number.MAX_SAFE_INTEGER / 2);
    for (const entry of entries.values()) {
      const { waiting, running } = entry.lane.load;
      if (waiting + running === 0 && (!chosen || cost(entry) < cost(chosen))) chosen = entry;
    }
    if (chosen?.lane.close()) accounts.delete(accountOf(chosen.provider, chosen.model));
    return chosen !== undefined && entries.delete(chosen.key);
  };

  const laneTo = (provider: string, model: string): Lane => {
    const key = `${provider}/${model}`;
    let entry = entries.get(key);
    if (!entry) {
      while (entries.size >= mostLanes && dropOne());
      const onChange = (from: CircuitState, to: CircuitState): void =>
        hooks.onChange({ provider, model, from, to });
      const settings = settingsFor(provider, model);
      const owner = accountOf(provider, model);
      const account = accounts.get(owner) ?? new Account(owner, settings, shared);
      accounts.set(owner, account);
      const lane = new LocalLane({ name: key, model, account }, settings, shared, onChange);
      entry = { key, provider, model, lane, lastUse: 0 };
      entries.set(key, entry);
    }
    entry.lastUse = ++uses;
    return entry.lane;
  };

  // A lane learns as it is made how its circuit stands, and tells whoever asks here. No provider's id has a slash.
  shared.onStranger((name) => {
    const slash = name.indexOf('/');
    laneTo(name.slice(0, slash), name.slice(slash + 1));
  });

  return {
    lane: laneTo,
    circuitOf(provider) {
      const states = new Set<CircuitState>();
      for (const entry of entries.values()) if (entry.provider === provider) states.add(entry.lane.circuit());
      return BY_BADNESS.find((state) => states.has(state)) ?? 'closed';
    },
    loads: () =>
      Array.from(entries.values(), ({ provider, model, lane }) => ({
        provider,
        model,
        circuit: lane.circuit(),
        ...lane.load,
      })),
  };
}
