import type { Price } from '../policies/budget.ts';
import type { Lane } from './lane.ts';
import type { Provider } from './provider.ts';

/** A provider's model that can play an agent: how to call it, the way to it, and what it costs. */
export interface ModelBinding {
  provider: Provider;
  lane: Lane;
  /** Undefined where nobody told. */
  price: Price | undefined;
}

/** Finds who plays; undefined where the provider has lost its configuration since the conversation began. */
export type BindModel = (provider: string, model: string) => ModelBinding | undefined;
