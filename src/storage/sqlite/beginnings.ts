import type Database from 'better-sqlite3';
import type { CreatedEvent } from '../../conversation/log/events.ts';
import { readEvent } from '../../protocol/read-event.ts';

/** Characters of JSON whose events are kept in memory, of all conversations together: those of about 2,000. */
const MAX_CHARACTERS = 1024 * 1024;

interface Beginning {
  created: CreatedEvent;
  characters: number;
}

/**
 * The first events of logs, which hold the settings. They never change, and lists ask for the same ones again and
 * again: those that were read last are kept, so that they need not be found and parsed for each list.
 */
export class Beginnings {
  readonly #read: Database.Statement<[string], { key: number; json: string }>;
  /** By the conversation's id, the longest kept first. */
  readonly #kept = new Map<string, Beginning>();
  #characters = 0;

  constructor(database: Database.Database) {
    // All that a page wants at once: one by one a page that is new takes a third longer.
    this.#read = database.prepare(
      `SELECT e.conversation AS key, e.json
       FROM json_each(?) CROSS JOIN events e ON e.conversation = json_each.value AND e.seq = 1`,
    );
  }

  /**
   * Each conversation with its beginning.
   *
   * @throws Error where a log has none
   */
  of<Row extends { id: string; key: number }>(rows: readonly Row[]): { row: Row; created: CreatedEvent }[] {
    const read = this.#readAll(rows.filter(({ id }) => !this.#kept.has(id)).map(({ key }) => key));
    const found = rows.map((row) => {
      const beginning = read.get(row.key) ?? this.#kept.get(row.id);
      if (!beginning) throw new Error(`the log of ${row.id} has no beginning`);
      return { row, beginning };
    });
    // Only now, for it may push out what the same page has.
    for (const { row, beginning } of found) this.#keep(row.id, beginning);
    return found.map(({ row, beginning }) => ({ row, created: beginning.created }));
  }

  drop(id: string): void {
    this.#characters -= this.#kept.get(id)?.characters ?? 0;
    this.#kept.delete(id);
  }

  #readAll(keys: readonly number[]): Map<number, Beginning> {
    const rows = keys.length === 0 ? [] : this.#read.all(JSON.stringify(keys));
    return new Map(
      rows.map(({ key, json }) => [
        key,
        { created: readEvent(json) as CreatedEvent, characters: json.length },
      ]),
    );
  }

  #keep(id: string, beginning: Beginning): void {
    if (this.#kept.has(id)) return;
    this.#kept.set(id, beginning);
    this.#characters += beginning.characters;
    for (const longest of this.#kept.keys()) {
      if (this.#characters <= MAX_CHARACTERS) break;
      this.drop(longest);
    }
  }
}
