import { type Command, Option } from 'commander';
import { connected, type ServerOptions } from '../connection.ts';
import { CommandError, EXIT, exitCodeOf } from '../exit.ts';
import { follow } from '../follow.ts';
import { newestConversation } from '../newest.ts';
import { say } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';

const WAIT_FOR_ONE = 30_000;
const ASK_EVERY = 500;

interface WatchOptions extends ServerOptions {
  url?: string;
  after?: string;
  json?: boolean;
}

export function addWatch(program: Command, surroundings: Surroundings): void {
  program
    .command('watch')
    .description('show a conversation as it is spoken; the newest one where no id is given')
    .argument('[id]')
    .option('--after <cursor>', 'goes on behind this frame of the stream')
    .option('--json', 'the durable frames as JSON lines')
    // As `npm run watch` always took them.
    .addOption(new Option('--url <url>').hideHelp())
    .addOption(new Option('--key <key>').hideHelp())
    .action(async (id: string | undefined, _options, command: Command) => {
      const { url, ...options } = command.optsWithGlobals<WatchOptions>();
      const server = url ?? options.server;
      process.exitCode = await watch(
        id,
        { ...options, ...(server === undefined ? {} : { server }) },
        surroundings,
      );
    });
}

function watch(id: string | undefined, options: WatchOptions, surroundings: Surroundings): Promise<number> {
  // It is only looked at: whoever goes leaves it as it is.
  process.once('SIGINT', () => process.exit(EXIT.interrupted));
  return connected(surroundings, options, 'refuse', async ({ client }) => {
    const found = id ?? (await newestId());
    // Asked for first, because it fails at once where the stream would try again for minutes.
    await client.getConversation(found);
    const { after, json = false } = options;
    return exitCodeOf(await follow(client, found, surroundings.environment, { json, after }));

    async function newestId(): Promise<string> {
      const newest = await newestConversation(client, {
        within: WAIT_FOR_ONE,
        every: ASK_EVERY,
        onWaiting: () =>
          say(`There is no conversation yet; waiting ${WAIT_FOR_ONE / 1000} s for one to appear …`),
      });
      if (newest) return newest.id;
      throw new CommandError(EXIT.refused, 'No conversation appeared; `aic "TOPIC"` starts one.');
    }
  });
}
