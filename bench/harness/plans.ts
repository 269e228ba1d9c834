import Database from 'better-sqlite3';

/** A statement that reads a table without an index, and how SQLite says so. */
export interface Scan {
  sql: string;
  step: string;
}

/** Gathers every statement that is prepared while `run` runs, by any connection of this process. */
export async function gatherStatements(run: () => Promise<void>): Promise<string[]> {
  const statements = new Set<string>();
  const original = Object.getOwnPropertyDescriptor(Database.prototype, 'prepare');
  if (!original) throw new Error('better-sqlite3 prepares its statements otherwise');
  const prepare = original.value as (this: unknown, sql: string) => unknown;
  Object.defineProperty(Database.prototype, 'prepare', {
    ...original,
    value(this: unknown, sql: string) {
      statements.add(sql.replaceAll(/\s+/g, ' ').trim());
      return prepare.call(this, sql);
    },
  });
  try {
    await run();
  } finally {
    Object.defineProperty(Database.prototype, 'prepare', original);
  }
  return [...statements].filter((sql) => sql.startsWith('SELECT'));
}

/**
 * The scans in the plans of some statements. What counts as none: walking a table in the order of its key
 * with nothing to pass over, so that the page is full after as many rows as it has; asking the full-text index
 * for a match; going through the list of keys that the statement is given; and sorting what is wanted whole anyway. https://sqlite.org/eqp.html
 */
export function scansOf(path: string, statements: readonly string[]): { scans: Scan[]; plans: Scan[] } {
  const database = new Database(path, { readonly: true });
  database.function('fold', { deterministic: true }, (text) => text);
  const plans: Scan[] = [];
  const scans: Scan[] = [];
  for (const sql of statements) {
    const steps = database
      .prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...Array<null>(sql.split('?').length - 1).fill(null)) as { detail: string }[];
    for (const { detail } of steps) {
      plans.push({ sql, step: detail });
      const pagesThrough = !sql.includes('WHERE') && sql.includes('ORDER BY c.key DESC LIMIT');
      const matches = /VIRTUAL TABLE INDEX \d+:.*M/.test(detail);
      const sorts = detail.includes('TEMP B-TREE') && sql.includes('LIMIT');
      const isGiven = detail.startsWith('SCAN json_each ');
      if (sorts || (detail.startsWith('SCAN') && !pagesThrough && !matches && !isGiven))
        scans.push({ sql, step: detail });
    }
  }
  database.close();
  return { scans, plans };
}
