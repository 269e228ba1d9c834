import { Command, CommanderError } from 'commander';
import { addCompare } from './commands/compare.ts';
import { addCompletion } from './commands/completion.ts';
import { addDoctor } from './commands/doctor.ts';
import { addExport } from './commands/export.ts';
import { addHands } from './commands/hands.ts';
import { addImport } from './commands/import.ts';
import { addKeys } from './commands/keys.ts';
import { addKnowledge } from './commands/knowledge.ts';
import { addMigrate } from './commands/migrate.ts';
import { addProviders } from './commands/providers.ts';
import { addList, addShow } from './commands/read.ts';
import { addScenarios } from './commands/scenarios.ts';
import { addSearch } from './commands/search.ts';
import { addServe } from './commands/serve.ts';
import { addStart } from './commands/start.ts';
import { addWatch } from './commands/watch.ts';
import { CommandError, EXIT, explain } from './exit.ts';
import { say } from './output.ts';
import type { Surroundings } from './surroundings.ts';

/** All commands. Parsing an argument list runs the one that it names. */
export function buildProgram(surroundings: Surroundings): Command {
  const program = withCommands(surroundings);
  addCompletion(program, () => withCommands(surroundings));
  return program;
}

function withCommands(surroundings: Surroundings): Command {
  const program = new Command('aic')
    .description('AI agents that talk to each other. `aic "TOPIC"` starts a conversation and shows it.')
    .usage('"TOPIC" [options]\n       aic COMMAND [arguments] [options]')
    .version(surroundings.version)
    .option('--server <url>', 'the server to speak to; AIC_SERVER, and AIC_API_KEY for its key')
    // Set before the commands are made, which take it over.
    .exitOverride()
    .showSuggestionAfterError();
  addStart(program, surroundings);
  addServe(program, surroundings);
  addWatch(program, surroundings);
  addList(program, surroundings);
  addShow(program, surroundings);
  addSearch(program, surroundings);
  addExport(program, surroundings);
  addImport(program, surroundings);
  addHands(program, surroundings);
  addCompare(program, surroundings);
  addProviders(program, surroundings);
  addScenarios(program, surroundings);
  addKnowledge(program, surroundings);
  addKeys(program);
  addMigrate(program, surroundings);
  addDoctor(program, surroundings);
  return program;
}

/**
 * Runs a command line to its end.
 *
 * @param given what follows the program's name
 * @returns the exit code
 */
export async function runCommandLine(given: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    await buildProgram(surroundings).parseAsync(given, { from: 'user' });
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    // It has said so by itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const { exitCode, message } = error instanceof CommandError ? error : explain(error, 'aic');
    if (message !== '') say(message);
    return exitCode;
  }
}
