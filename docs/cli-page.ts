import type { Argument, Command, Help, Option } from 'commander';
import { buildProgram } from '../src/cli/program.ts';

const INTRODUCTION = `# The command line

\`aic\` comes with the package (\`npx aic\`); in a clone it is \`npm run -s aic --\`. This page is written by \`npm run docs\` from
the program; a test compares the two. \`aic COMMAND --help\` says the same.

\`\`\`sh
npm run -s aic -- "Is a hot dog a sandwich?" --turns 4
npm run -s aic -- list
\`\`\`

## Where it works

- With \`--server URL\` or \`AIC_SERVER\` it speaks to a server, with the key in \`AIC_API_KEY\` where that wants one.
- Without, \`aic "TOPIC"\` and \`start\` run the engine in their own process over \`DATA_DIR\` (./data if not said), with the keys
  of vendors that the environment or \`.env\` has. \`list\`, \`show\`, \`search\` and \`export\` read \`DATA_DIR\`, also while a server
  holds it; \`import\` writes it where none does. The other commands about conversations need a server. \`REDIS_URL\` and \`API_KEYS\` are a server's and are not
  looked at here.
- \`keys create\`, \`migrate\`, \`doctor\`, \`completion\` and \`serve\` need none.

## What it writes

Standard output has data alone: what was said, lists, ids. All else goes to standard error: the topic, failed attempts,
progress, the summary, questions. A pipe changes colours and the progress line, not data. \`--json\` gives the protocol's own
objects, one a line, and never asks: \`start\` and \`watch\` the durable frames, \`show\` the conversation and then its
messages. \`NO_COLOR\` and \`TERM=dumb\` are heard; within \`$(…)\` there is no progress line. A topic is one argument; a single
word that is nearly a command is taken for a slip.

\`start\` asks for what is missing where standard input is a terminal, unless \`--yes\` is said. \`--save NAME\` keeps what the
flags say, with the topic if there is one, in \`$XDG_CONFIG_HOME/aic/templates\` (\`~/.config\` if not said); \`-t NAME\` begins
with it, and flags win over it.

## Exit codes

| code | when |
|---|---|
| 0 | all well |
| 1 | the conversation ended by an error (\`provider_error\`, \`configuration_error\`, \`circuit_open\`, \`guard_blocked\`, \`storage_error\`), \`doctor\` found a fault, \`serve\` can't start, or something else went wrong |
| 2 | the command is wrong, a file that it names, or the configuration of what runs in its own process |
| 3 | no server answers, or the command needs one and none is named |
| 4 | refused: 401, 403, 404, 409, 429; or another process holds \`DATA_DIR\` |
| 130 | after Ctrl-C: in \`start\` the first ends the conversation with \`user\`, on a server too, and the second leaves at once; \`watch\` only leaves |

## Commands
`;

/** docs/cli.md as it has to be. */
export function cliPage(): string {
  const nothing = (): never => {
    throw new Error('only described');
  };
  const program = buildProgram({
    environment: {},
    version: '',
    openLocal: nothing,
    examine: nothing,
    serve: nothing,
  });
  const general = `### aic "TOPIC"\n\nThe same as \`aic start\`, with its options.\n\nOf all commands:\n\n${options(program)}`;
  return [INTRODUCTION, general, ...commandsOf(program, 'aic')].join('\n');
}

function commandsOf(parent: Command, path: string): string[] {
  return visible(parent).flatMap((command) => {
    const name = `${path} ${command.name()}`;
    const below = visible(command);
    if (below.length > 0)
      return [`### ${name}\n\n${sentence(command.description())}\n`, ...commandsOf(command, name)];
    const given = command.registeredArguments.map(argument);
    const title = [name, ...given].join(' ');
    return [`### ${title}\n\n${sentence(command.description())}\n\n${options(command)}`];
  });
}

/** Without the help that each has. */
function visible(command: Command): Command[] {
  return help(command)
    .visibleCommands(command)
    .filter((each) => each.name() !== 'help');
}

function options(command: Command): string {
  const all = help(command)
    .visibleOptions(command)
    .filter(({ long }) => long !== '--help');
  const described = command.registeredArguments.filter(({ description }) => description !== '');
  const rows = [
    ...described.map((each) => `| \`${argument(each)}\` | ${sentence(each.description)} |`),
    ...all.map((each) => `| \`${each.flags}\` | ${optionText(each)} |`),
  ];
  return rows.length === 0 ? '' : `| argument | what |\n|---|---|\n${rows.join('\n')}\n`;
}

function optionText(option: Option): string {
  const choices = option.argChoices ? ` One of ${option.argChoices.join(', ')}.` : '';
  const initial = option.defaultValue === undefined ? '' : ` ${String(option.defaultValue)} if not said.`;
  const text = option.description === '' ? '' : sentence(option.description);
  return `${text}${choices}${initial}`.trim();
}

function argument(each: Argument): string {
  const name = each.name() + (each.variadic ? '…' : '');
  return each.required ? `<${name}>` : `[${name}]`;
}

function help(command: Command): Help {
  return command.createHelp();
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?…)`]$/.test(text) ? '' : '.'}`;
}
