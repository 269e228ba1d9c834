import type { Command } from 'commander';
import { CommandError, EXIT } from '../exit.ts';
import { write, writeJson } from '../output.ts';
import { oneLine } from '../terminal.ts';

interface KeyOptions {
  tenant: string;
  scopes: string;
  expires?: string;
  json?: boolean;
}

export function addKeys(program: Command): void {
  program
    .command('keys')
    .description('make keys for a server')
    .command('create')
    .description(
      'make a key: print it, which is kept nowhere, and the entry that API_KEYS or API_KEYS_FILE is to have',
    )
    .argument('<name>', 'what it is called in logs and events')
    .option('--tenant <name>', 'whose conversations it opens', 'default')
    .option(
      '--scopes <list>',
      'conversations:read, conversations:write, metrics:read, admin, with commas between them',
      'conversations:read,conversations:write',
    )
    .option('--expires <time>', 'when it ends, such as 2026-12-31T00:00:00Z')
    .option('--json', 'both as one JSON object')
    .action(async (name: string, options: KeyOptions) => {
      const { createKey } = await import('../keys.ts');
      const { tenant, expires } = options;
      const scopes = options.scopes.split(',').map((scope) => scope.trim());
      try {
        const made = createKey({
          name,
          tenant,
          scopes,
          ...(expires === undefined ? {} : { expiresAt: expires }),
        });
        await (options.json ? writeJson(made) : write(`${made.key}\n${JSON.stringify(made.entry)}\n`));
      } catch (error) {
        throw new CommandError(EXIT.usage, whatIsWrong(error), { cause: error });
      }
    });
}

/** A line for each fault of the entry. */
function whatIsWrong(error: unknown): string {
  const { issues = [] } = error as { issues?: { path: PropertyKey[]; message: string }[] };
  if (issues.length === 0) throw error;
  return issues.map(({ path, message }) => oneLine(`${path.map(String).join('.')}: ${message}`)).join('\n');
}
