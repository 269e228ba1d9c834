import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import type { ScenarioRequest } from '../../client/types.ts';
import { connected, type ServerOptions } from '../connection.ts';
import { table } from '../figures.ts';
import { readJsonFile } from '../files.ts';
import { say, write, writeJson } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';
import { oneLine, printable } from '../terminal.ts';

type Options = ServerOptions & { json?: boolean };

/** Named beginnings of conversations; docs/protocol.md, section 9.6. */
export function addScenarios(program: Command, surroundings: Surroundings): void {
  const scenarios = program
    .command('scenarios')
    .description('list named beginnings of conversations, or show, keep and delete one');
  const at = (command: Command, work: (client: Client, json: boolean) => Promise<void>): Promise<void> => {
    const { json, ...options } = command.optsWithGlobals<Options>();
    return connected(surroundings, options, 'refuse', ({ client }) => work(client, json === true));
  };

  scenarios
    .command('list', { isDefault: true })
    .description('those that are built in, then your own')
    .option('--json', 'as JSON lines')
    .action((_options, command: Command) =>
      at(command, async (client, json) => {
        const { items } = await client.scenarios();
        if (json) for (const scenario of items) await writeJson(scenario);
        else
          await write(
            table(items.map(({ name, title, description }) => [name, oneLine(title), oneLine(description)])),
          );
      }),
    );

  scenarios
    .command('show')
    .description('what a scenario says of a conversation')
    .argument('<name>')
    .option('--json', 'as JSON')
    .action((name: string, _options, command: Command) =>
      at(command, async (client, json) => {
        const scenario = await client.getScenario(name);
        if (json) await writeJson(scenario);
        else await write(`${printable(JSON.stringify(scenario, null, 2))}\n`);
      }),
    );

  scenarios
    .command('put')
    .description('keep a scenario of your own, from a file with its title, description and settings')
    .argument('<name>')
    .argument('<file>', 'JSON; - is standard input')
    .option('--json', 'the scenario as JSON')
    .action((name: string, file: string, _options, command: Command) =>
      at(command, async (client, json) => {
        const scenario = await client.putScenario(name, (await readJsonFile(file)) as ScenarioRequest);
        await (json ? writeJson(scenario) : write(`${scenario.name}\n`));
      }),
    );

  scenarios
    .command('delete')
    .description('delete a scenario of your own')
    .argument('<name>')
    .action((name: string, _options, command: Command) =>
      at(command, async (client) => {
        await client.deleteScenario(name);
        say(`${name} is deleted.`);
      }),
    );
}
