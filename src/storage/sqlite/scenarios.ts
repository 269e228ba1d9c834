import type Database from 'better-sqlite3';
import type { Scenario } from '../../conversation/scenarios/built-in.ts';
import { MOST_SCENARIOS, type ScenarioStore } from '../../conversation/scenarios/store.ts';

/** A scenario that is kept, or with null removed. */
export interface ScenarioOperation {
  kind: 'scenario';
  tenant: string;
  name: string;
  json: string | null;
}

export type ScenarioOutcome = 'created' | 'replaced' | 'full' | 'removed' | 'not_found';

type Submit = (operation: ScenarioOperation) => Promise<{ outcome: string }>;

/** The scenarios that tenants keep of their own, in the file of the log, and written as it is. */
export class SqliteScenarios implements ScenarioStore {
  readonly #database: Database.Database;
  readonly #submit: Submit;

  constructor(database: Database.Database, submit: Submit) {
    this.#database = database;
    this.#submit = submit;
  }

  async get(tenant: string, name: string): Promise<Scenario | undefined> {
    const row = this.#database
      .prepare<[string, string], { json: string }>('SELECT json FROM scenarios WHERE tenant = ? AND name = ?')
      .get(tenant, name);
    return row && (JSON.parse(row.json) as Scenario);
  }

  async list(tenant: string): Promise<Scenario[]> {
    return this.#database
      .prepare<[string], { json: string }>('SELECT json FROM scenarios WHERE tenant = ? ORDER BY name')
      .all(tenant)
      .map(({ json }) => JSON.parse(json) as Scenario);
  }

  async put(tenant: string, scenario: Scenario): Promise<'created' | 'replaced' | 'full'> {
    const json = JSON.stringify(scenario);
    const { outcome } = await this.#submit({ kind: 'scenario', tenant, name: scenario.name, json });
    return outcome as 'created' | 'replaced' | 'full';
  }

  async delete(tenant: string, name: string): Promise<boolean> {
    const { outcome } = await this.#submit({ kind: 'scenario', tenant, name, json: null });
    return outcome === 'removed';
  }
}

/** What carries out an operation, within a transaction. */
export function scenarioWriter(
  database: Database.Database,
): (operation: ScenarioOperation) => ScenarioOutcome {
  const find = database.prepare('SELECT 1 FROM scenarios WHERE tenant = ? AND name = ?');
  const count = database.prepare<[string], number>('SELECT count(*) FROM scenarios WHERE tenant = ?').pluck();
  const insert = database.prepare('INSERT OR REPLACE INTO scenarios (tenant, name, json) VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM scenarios WHERE tenant = ? AND name = ?');
  return ({ tenant, name, json }) => {
    if (json === null) return remove.run(tenant, name).changes > 0 ? 'removed' : 'not_found';
    const isKept = find.get(tenant, name) !== undefined;
    if (!isKept && (count.get(tenant) ?? 0) >= MOST_SCENARIOS) return 'full';
    insert.run(tenant, name, json);
    return isKept ? 'replaced' : 'created';
  };
}
