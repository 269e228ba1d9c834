import type { Command } from 'commander';
import { connected, type ServerOptions } from '../connection.ts';
import { table } from '../figures.ts';
import { write, writeJson } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';

export function addProviders(program: Command, surroundings: Surroundings): void {
  program
    .command('providers')
    .description('list who can play an agent, and whether the server has what that needs')
    .option('--json', 'as JSON lines')
    .action(async (_options, command: Command) => {
      const { json, ...options } = command.optsWithGlobals<ServerOptions & { json?: boolean }>();
      await connected(surroundings, options, 'refuse', async ({ client }) => {
        const { items } = await client.providers();
        if (json) for (const provider of items) await writeJson(provider);
        else {
          const rows = items.map(({ id, configured, defaultModel, circuit }) => [
            id,
            configured ? 'configured' : 'not configured',
            defaultModel ?? '-',
            circuit,
          ]);
          await write(table(rows));
        }
      });
    });
}
