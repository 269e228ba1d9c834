import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import type { Conversation, ConversationsQuery, Message } from '../../client/types.ts';
import { connected, type ServerOptions } from '../connection.ts';
import { count, dollars, table } from '../figures.ts';
import { say, write, writeJson } from '../output.ts';
import { allItems } from '../pages.ts';
import type { Surroundings } from '../surroundings.ts';
import { hasColours, oneLine, Palette, printable } from '../terminal.ts';
import { type Labels, labels, wholeNumber } from '../values.ts';

interface ListOptions
  extends ServerOptions,
    Pick<ConversationsQuery, 'status' | 'provider' | 'q' | 'createdAfter' | 'createdBefore'> {
  label?: Labels;
  limit?: number;
  json?: boolean;
}

/** How many conversations are listed where nothing is said. */
const LISTED = 50;

export function addList(program: Command, surroundings: Surroundings): void {
  program
    .command('list')
    .description('list conversations, newest first')
    .option('--status <status>', 'queued, running, paused or terminated')
    .option('--provider <id>', 'with an agent of this provider')
    .option('--q <text>', 'with this in their topic')
    .option('--created-after <time>', 'such as 2026-01-31T12:00:00Z')
    .option('--created-before <time>')
    .option('--label <KEY=VALUE>', 'whose metadata has this; once for each', labels)
    .option('--limit <number>', 'how many at most', wholeNumber, LISTED)
    .option('--json', 'the conversations as JSON lines')
    .action(async (_options, command: Command) => {
      const { server, json, label, limit = LISTED, ...filter } = command.optsWithGlobals<ListOptions>();
      await connected(surroundings, server === undefined ? {} : { server }, 'reader', ({ client, where }) =>
        list(client, where, { ...filter, ...label }, limit, json === true),
      );
    });
}

async function list(
  client: Client,
  where: string,
  filter: ConversationsQuery,
  limit: number,
  json: boolean,
): Promise<void> {
  const rows: string[][] = [];
  for await (const conversation of allItems(
    (page) => client.listConversations({ ...filter, ...page }),
    limit,
  )) {
    if (json) await writeJson(conversation);
    else rows.push(listed(conversation));
  }
  await write(table(rows));
  if (!json && rows.length === 0) say(`There is no such conversation at ${where}.`);
}

function listed({ id, status, createdAt, turns, maxTurns, topic }: Conversation): string[] {
  return [id, status, createdAt, `${turns}/${maxTurns}`, oneLine(topic)];
}

export function addShow(program: Command, surroundings: Surroundings): void {
  program
    .command('show')
    .description('show a conversation and what was said in it so far')
    .argument('<id>')
    .option('--json', 'the conversation, then its messages, as JSON lines')
    .action(async (id: string, _options, command: Command) => {
      const { json, ...options } = command.optsWithGlobals<ServerOptions & { json?: boolean }>();
      await connected(surroundings, options, 'reader', ({ client }) =>
        show(client, id, surroundings.environment, json === true),
      );
    });
}

async function show(
  client: Client,
  id: string,
  environment: NodeJS.ProcessEnv,
  json: boolean,
): Promise<void> {
  const conversation = await client.getConversation(id);
  await (json ? writeJson(conversation) : write(`${heading(conversation)}\n`));
  const palette = new Palette(hasColours(process.stdout, environment));
  for await (const message of allItems((page) => client.messages(id, page))) {
    await (json ? writeJson(message) : write(spoken(message, palette)));
  }
}

/** The facts of a conversation, one a line. */
function heading(conversation: Conversation): string {
  const { id, topic, status, agents, turns, maxTurns, usage, createdAt, termination, outcome } = conversation;
  const facts: [string, string][] = [
    ['Topic', oneLine(topic)],
    ['Id', id],
    ['Status', status],
    ['Begun', createdAt],
    ...agents.map(({ name, provider, model, turns: spoken }): [string, string] => [
      'Agent',
      `${oneLine(name)} (${provider}, ${oneLine(model)}), ${count(spoken, 'turn')}`,
    ]),
    ['Turns', `${turns} of ${maxTurns}`],
    ['Usage', `${count(usage.totalTokens, 'token')}, ${dollars(usage.costUsd)}`],
  ];
  if (termination) {
    const { reason, detail, by } = termination;
    facts.push(['Ended', `${reason}${detail ? ` (${oneLine(detail)})` : ''}, by ${by}`]);
  }
  if (outcome) {
    const winner = typeof outcome['winner'] === 'string' ? outcome['winner'] : 'no winner';
    facts.push(['Outcome', `${outcome.type}: ${oneLine(winner)}`]);
  }
  return table(facts);
}

function spoken({ seq, sender, content, metadata, retracted }: Message, palette: Palette): string {
  const model = metadata.model === undefined ? '' : ` (${oneLine(metadata.model)})`;
  const name = palette.agent(oneLine(sender), `${oneLine(sender)}${model}:`);
  return `${seq}  ${name} ${retracted ? '[retracted]' : printable(content)}\n`;
}
