import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import type { ConversationRequest } from '../../client/types.ts';
import { agentsOf } from '../agents.ts';
import { connected, type ServerOptions } from '../connection.ts';
import { CommandError, EXIT, exitCodeOf } from '../exit.ts';
import { follow } from '../follow.ts';
import { say } from '../output.ts';
import { askForTheRest } from '../questions.ts';
import type { Surroundings } from '../surroundings.ts';
import { type Template, Templates } from '../templates.ts';
import { canAsk, oneLine } from '../terminal.ts';
import { dollarsOption, list, nearestCommand, wholeNumber } from '../values.ts';

interface StartOptions extends ServerOptions {
  topic?: string;
  agent?: string[];
  agent1?: string;
  agent2?: string;
  turns?: number;
  scenario?: string;
  budget?: number;
  template?: string;
  save?: string;
  yes?: boolean;
  json?: boolean;
}

function withOptions(command: Command): Command {
  return command
    .option('--topic <text>', 'what they talk about')
    .option('--agent <PROVIDER[:MODEL][=NAME]>', 'who talks; once for each, in their order', list)
    .option('--agent1 <PROVIDER[:MODEL][=NAME]>', 'the first who talks')
    .option('--agent2 <PROVIDER[:MODEL][=NAME]>', 'the second')
    .option('--turns <number>', 'how many turns at most, of all together', wholeNumber)
    .option('--scenario <name>', 'a debate, an interview, … `aic scenarios` lists them')
    .option('--budget <dollars>', 'ends before it costs more', dollarsOption)
    .option('-t, --template <name>', 'begins with what was kept under this name')
    .option('--save <name>', 'keeps what is said here under this name')
    .option('-y, --yes', 'asks nothing')
    .option('--json', 'the durable frames as JSON lines, and no question');
}

export function addStart(program: Command, surroundings: Surroundings): void {
  withOptions(program.command('start').argument('[topic]', 'the same as --topic'))
    .description('start a conversation and show it; asks for what is missing')
    .action(async (topic: string | undefined, _options, command: Command) => {
      process.exitCode = await start(topic, command.optsWithGlobals<StartOptions>(), surroundings);
    });

  // `aic "TOPIC"`: what isn't the name of a command.
  withOptions(program.command('talk', { isDefault: true, hidden: true }).argument('[topic...]'))
    .allowExcessArguments()
    .action(async (words: string[], _options, command: Command) => {
      const options = command.optsWithGlobals<StartOptions>();
      process.exitCode = await start(topicOf(words, program), options, surroundings);
    });
}

/** A topic is one argument; a single word that is nearly a command is none. */
function topicOf(words: readonly string[], program: Command): string | undefined {
  const [word] = words;
  if (word === undefined) return undefined;
  const names = program.commands.map((command) => command.name());
  const near = /\s/.test(word.trim()) ? undefined : nearestCommand(word, names);
  if (near !== undefined) {
    const topic = `as a topic it would be \`aic start ${word}\``;
    throw new CommandError(EXIT.usage, `There is no command ${word}. Is it ${near}? (${topic})`);
  }
  if (words.length > 1) {
    throw new CommandError(EXIT.usage, `A topic of several words takes quotes: aic "${words.join(' ')}"`);
  }
  return word;
}

async function start(
  topic: string | undefined,
  options: StartOptions,
  surroundings: Surroundings,
): Promise<number> {
  const { environment } = surroundings;
  if (topic !== undefined && options.topic !== undefined) {
    throw new CommandError(EXIT.usage, 'The topic is given twice; leave out --topic');
  }
  const templates = new Templates(environment);
  const said = templateOf(topic ?? options.topic, options, templates);
  const mayAsk = !options.yes && !options.json && canAsk(environment);
  if (said.topic === undefined && !mayAsk) {
    throw new CommandError(EXIT.usage, 'The topic is missing: aic "Is a hot dog a sandwich?"');
  }
  return connected(surroundings, options, 'engine', async ({ client }) => {
    const template = said.topic === undefined ? await askForTheRest(said, client) : said;
    if (options.save !== undefined) {
      const path = templates.save(options.save, template);
      say(`Kept in ${path}; aic -t ${options.save} begins with it.`);
    }
    return converse(client, template as ConversationRequest, { json: options.json === true }, environment);
  });
}

/** What the flags say, over the template that they begin with. */
function templateOf(topic: string | undefined, options: StartOptions, templates: Templates): Template {
  const kept: Template = options.template === undefined ? {} : templates.load(options.template);
  const { turns, scenario, budget } = options;
  const agents = agentsOf(options);
  return {
    ...kept,
    ...(topic === undefined ? {} : { topic }),
    ...(agents === undefined ? {} : { agents }),
    ...(turns === undefined ? {} : { maxTurns: turns }),
    ...(scenario === undefined ? {} : { scenario }),
    ...(budget === undefined ? {} : { termination: { ...kept.termination, maxCostUsd: budget } }),
  };
}

/** Starts it and shows it to its end. Ctrl-C ends it; again, it leaves at once. */
async function converse(
  client: Client,
  request: ConversationRequest,
  { json }: { json: boolean },
  environment: NodeJS.ProcessEnv,
): Promise<number> {
  const leave = (): void => process.exit(EXIT.interrupted);
  let interrupted = false;
  process.once('SIGINT', leave);
  const { id } = await client.createConversation(request);
  const end = (): void => {
    interrupted = true;
    process.once('SIGINT', leave);
    if (!json) say('\nEnding it; Ctrl-C again leaves at once.');
    client.terminate(id).catch((error: unknown) => {
      say(`It could not be ended: ${oneLine((error as Error).message)}`);
      leave();
    });
  };
  process.off('SIGINT', leave);
  process.once('SIGINT', end);
  try {
    const ending = await follow(client, id, environment, { json });
    return interrupted ? EXIT.interrupted : exitCodeOf(ending);
  } finally {
    process.off('SIGINT', end);
  }
}
