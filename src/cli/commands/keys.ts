import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ZodError } from 'zod';
import { CommandError, EXIT } from '../exit.ts';
import { createKey } from '../keys.ts';
import { say, write, writeJson } from '../output.ts';

interface Options {
  tenant: string;
  scopes: string;
  expires?: string;
  json?: boolean;
}

/** Keys are made here and nowhere else: a server knows digests alone. */
export function addKeys(program: Command): void {
  const keys = program.command('keys').description('make keys for a server');
  keys
    .command('create <name>')
    .description('make a key: prints it, and the entry that API_KEYS or API_KEYS_FILE is to have for it')
    .option('--tenant <name>', 'whom what it makes belongs to', 'default')
    .option(
      '--scopes <list>',
      'with commas: conversations:read, conversations:write, metrics:read, admin',
      'conversations:write',
    )
    .option('--expires <time>', 'when it ends, such as 2027-01-31T12:00:00Z')
    .option('--json', 'print one line of JSON: { key, entry }')
    .action(async (name: string, { tenant, scopes, expires, json }: Options) => {
      const made = keyFrom(name, tenant, scopes, expires);
      await (json ? writeJson(made) : write(`${made.key}\n${JSON.stringify(made.entry)}\n`));
    });
  keys
    .command('init <folder>')
    .description(
      'make the keys of a first start in a folder, unless they are there: admin-key, metrics-key, api-keys.json',
    )
    .action((folder: string) => {
      say(writeFirstKeys(folder) ? `Keys are in ${folder}.` : `${folder} has keys, which stay as they are.`);
    });
}

/** The keys of a first start: one that may do everything, and one for whoever scrapes the metrics. */
const FIRST_KEYS = { admin: ['admin'], metrics: ['metrics:read'] };

/** Writes them into a folder as NAME-key, and their entries as api-keys.json; what is there stays as it is. */
function writeFirstKeys(folder: string): boolean {
  const list = join(folder, 'api-keys.json');
  if (existsSync(list)) return false;
  mkdirSync(folder, { recursive: true });
  const made = Object.entries(FIRST_KEYS).map(([name, scopes]) =>
    createKey({ name, tenant: 'default', scopes }),
  );
  for (const { key, entry } of made) {
    // Whoever scrapes is another user.
    writeFileSync(join(folder, `${entry.name}-key`), key, { mode: entry.name === 'admin' ? 0o600 : 0o644 });
  }
  // Last, so that a start that was broken off is begun anew.
  const entries = JSON.stringify(
    made.map(({ entry }) => entry),
    null,
    2,
  );
  writeFileSync(`${list}.new`, `${entries}\n`);
  renameSync(`${list}.new`, list);
  return true;
}

function keyFrom(name: string, tenant: string, scopes: string, expiresAt: string | undefined) {
  try {
    return createKey({
      name,
      tenant,
      scopes: scopes
        .split(',')
        .map((scope) => scope.trim())
        .filter((scope) => scope !== ''),
      ...(expiresAt === undefined ? {} : { expiresAt }),
    });
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    const [fault] = error.issues;
    throw new CommandError(EXIT.usage, `${String(fault?.path[0] ?? 'key')}: ${fault?.message}`);
  }
}
