import type { Command } from 'commander';
import { connected, type ServerOptions } from '../connection.ts';
import { CommandError, EXIT } from '../exit.ts';
import { write, writeJson } from '../output.ts';
import type { Finding, Surroundings } from '../surroundings.ts';
import { oneLine } from '../terminal.ts';

const MARKS = { ok: 'ok', fault: 'FAULT', unknown: '?' } as const;

export function addDoctor(program: Command, surroundings: Surroundings): void {
  program
    .command('doctor')
    .description(
      'look at what a server here needs (Node, configuration, disk, database or Redis, keys, clock), or whether one ' +
        'that is named answers, and say what to do',
    )
    .option('--json', 'the findings as JSON lines')
    .action(async (_options, command: Command) => {
      const { json, ...options } = command.optsWithGlobals<ServerOptions & { json?: boolean }>();
      const report = async (finding: Finding): Promise<void> => {
        if (finding.state === 'fault') process.exitCode = EXIT.failed;
        await (json ? writeJson(finding) : write(`${lines(finding)}\n`));
      };
      for await (const finding of surroundings.examine()) await report(finding);
      if (options.server !== undefined || surroundings.environment['AIC_SERVER']) {
        await report(await lookAtServer(surroundings, options));
      }
    });
}

async function lookAtServer(surroundings: Surroundings, options: ServerOptions): Promise<Finding> {
  try {
    return await connected(surroundings, options, 'refuse', async ({ client, where }) => {
      const { items } = await client.providers();
      const configured = items.filter((provider) => provider.configured).map(({ id }) => id);
      return {
        name: 'server',
        state: 'ok',
        detail: `${where} answers; configured are ${configured.join(', ')}`,
      };
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const advice = 'start it with `aic serve`, or correct AIC_SERVER or AIC_API_KEY';
    return { name: 'server', state: 'fault', detail: error.message, advice };
  }
}

function lines({ name, state, detail, advice }: Finding): string {
  const found = `${MARKS[state].padEnd(5)}  ${name}: ${oneLine(detail)}`;
  return advice === undefined ? found : `${found}\n       ${oneLine(advice)}`;
}
