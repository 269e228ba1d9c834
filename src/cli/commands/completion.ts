import { Argument, type Command } from 'commander';

const SHELLS = ['bash', 'zsh', 'fish', 'powershell'] as const;

/** Commander's types leave it out. */
interface ParsedArguments {
  rawArgs: string[];
}

/** @param build makes the program anew, without these commands */
export function addCompletion(program: Command, build: () => Command): void {
  const run = async (): Promise<void> => {
    const { default: tab } = await import('@bomb.sh/tab/commander');
    const described = build();
    tab(described, { completionCommandName: 'completion' });
    described.parse((program as Command & ParsedArguments).rawArgs, { from: 'user' });
  };
  program
    .command('completion')
    .description(
      'print what has a shell complete commands and options, to be read by it: `source <(aic completion bash)`',
    )
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action(run);
  // What the shell calls at each press of the key.
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .helpOption(false)
    .allowUnknownOption()
    .action(run);
}
