import type Database from 'better-sqlite3';
import type { Scenario } from '../../conversation/scenarios/built-in.ts';
import type { ScenarioStore } from '../../conversation/scenarios/store.ts';

/** The scenarios that tenants keep of their own, in the file of the log. Each write is a commit of its own. */
export class SqliteScenarios implements ScenarioStore {
  readonly #database: Database.Database;

  constructor(database: Database.Database) {
    this.#database = database;
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

  async put(tenant: string, scenario: Scenario): Promise<'created' | 'replaced'> {
    const was = await this.get(tenant, scenario.name);
    this.#database
      .prepare('INSERT OR REPLACE INTO scenarios (tenant, name, json) VALUES (?, ?, ?)')
      .run(tenant, scenario.name, JSON.stringify(scenario));
    return was ? 'replaced' : 'created';
  }

  async delete(tenant: string, name: string): Promise<boolean> {
    const { changes } = this.#database
      .prepare('DELETE FROM scenarios WHERE tenant = ? AND name = ?')
      .run(tenant, name);
    return changes > 0;
  }
}
