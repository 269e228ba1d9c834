import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import type { Conversation, ForkRequest, SayRequest } from '../../client/types.ts';
import { agentsOf } from '../agents.ts';
import { connected, type ServerOptions } from '../connection.ts';
import { write, writeJson } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';
import { dollarsOption, list, wholeNumber } from '../values.ts';

interface HandOptions extends ServerOptions {
  json?: boolean;
  as?: string;
  moderator?: boolean;
  to?: string[];
  interrupt?: boolean;
  now?: boolean;
  detail?: string;
  at?: number;
  topic?: string;
  agent?: string[];
  turns?: number;
  budget?: number;
}

/** What people do to conversations that a server runs; docs/protocol.md, section 10. */
export function addHands(program: Command, surroundings: Surroundings): void {
  /** Has a server do it, and prints what it answers: as JSON, or the words that stand for it. */
  async function act<Answer>(
    command: Command,
    ask: (client: Client, options: HandOptions) => Promise<Answer>,
    words: (answer: Answer) => string,
  ): Promise<void> {
    const options = command.optsWithGlobals<HandOptions>();
    await connected(surroundings, options, 'refuse', async ({ client }) => {
      const answer = await ask(client, options);
      await (options.json ? writeJson(answer) : write(`${words(answer)}\n`));
    });
  }
  const status = ({ id, status: now }: Conversation): string => `${id} ${now}`;

  program
    .command('say')
    .description('say something in a conversation, or take the turn of a human agent that is waited for')
    .argument('<id>')
    .argument('<text>')
    .option('--as <name>', 'who says it')
    .option('--moderator', 'says it as the moderator')
    .option('--to <name>', 'only this agent hears it; once for each', list)
    .option('--interrupt', 'the turn under way is spoken anew in knowledge of it')
    .option('--json', 'the message as JSON')
    .action((id: string, content: string, _options, command: Command) =>
      act(
        command,
        (client, said) => {
          const request: SayRequest = {
            content,
            ...(said.as === undefined ? {} : { sender: said.as }),
            ...(said.moderator ? { role: 'moderator' } : {}),
            ...(said.to === undefined ? {} : { visibleTo: said.to }),
            ...(said.interrupt ? { interrupt: true } : {}),
          };
          return client.say(id, request);
        },
        ({ seq, sender }) => `${seq} ${sender}`,
      ),
    );

  program
    .command('pause')
    .description('pause a conversation; the turn under way is still spoken')
    .argument('<id>')
    .option('--now', 'cuts the turn under way off')
    .option('--detail <text>', 'why')
    .option('--json', 'the conversation as JSON')
    .action((id: string, _options, command: Command) =>
      act(
        command,
        (client, { now, detail }) =>
          client.pause(id, { ...(now ? { now } : {}), ...(detail === undefined ? {} : { detail }) }),
        status,
      ),
    );

  program
    .command('resume')
    .description('go on with a conversation that was paused')
    .argument('<id>')
    .option('--json', 'the conversation as JSON')
    .action((id: string, _options, command: Command) => act(command, (client) => client.resume(id), status));

  program
    .command('end')
    .description('end a conversation')
    .argument('<id>')
    .option('--detail <text>', 'why')
    .option('--json', 'the conversation as JSON')
    .action((id: string, _options, command: Command) =>
      act(command, (client, { detail }) => client.terminate(id, detail), status),
    );

  program
    .command('fork')
    .description('go on from a message as another conversation, and print its id')
    .argument('<id>')
    .option('--at <seq>', 'the message; the last one where it is not said', wholeNumber)
    .option('--topic <text>')
    .option('--agent <PROVIDER[:MODEL][=NAME]>', 'who talks there; once for each', list)
    .option('--turns <number>', 'how many turns at most, those before among them', wholeNumber)
    .option('--budget <dollars>', 'ends before it costs more', dollarsOption)
    .option('--json', 'the new conversation as JSON')
    .action((id: string, _options, command: Command) =>
      act(
        command,
        (client, options) => client.fork(id, forkOf(options)),
        ({ id: made }) => made,
      ),
    );
}

function forkOf(options: HandOptions): ForkRequest {
  const { at, topic, turns, budget } = options;
  const agents = agentsOf(options);
  return {
    ...(at === undefined ? {} : { atSeq: at }),
    ...(topic === undefined ? {} : { topic }),
    ...(agents === undefined ? {} : { agents }),
    ...(turns === undefined ? {} : { maxTurns: turns }),
    ...(budget === undefined ? {} : { termination: { maxCostUsd: budget } }),
  };
}
