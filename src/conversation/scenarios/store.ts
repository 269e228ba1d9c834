import { BUILT_IN_SCENARIOS, type Scenario } from './built-in.ts';

/** PORT: the scenarios that tenants keep of their own. All verbs throw AppError `overloaded` as the log's do. */
export interface ScenarioStore {
  get(tenant: string, name: string): Promise<Scenario | undefined>;
  /** By name. */
  list(tenant: string): Promise<Scenario[]>;
  /** `full`: the tenant has MOST_SCENARIOS, and none of that name. */
  put(tenant: string, scenario: Scenario): Promise<'created' | 'replaced' | 'full'>;
  /** False where there was none. */
  delete(tenant: string, name: string): Promise<boolean>;
}

/** Scenarios that a tenant keeps at most. */
export const MOST_SCENARIOS = 200;

export function isBuiltIn(name: string): boolean {
  return BUILT_IN_SCENARIOS.some((scenario) => scenario.name === name);
}

/** One that is built in, or the tenant's own. */
export async function findScenario(
  store: ScenarioStore,
  tenant: string,
  name: string,
): Promise<Scenario | undefined> {
  return BUILT_IN_SCENARIOS.find((scenario) => scenario.name === name) ?? (await store.get(tenant, name));
}
