import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import type { Conversation, Message } from '../../client/types.ts';
import { connected, type ServerOptions } from '../connection.ts';
import { dollars, table } from '../figures.ts';
import { write, writeJson } from '../output.ts';
import { allItems } from '../pages.ts';
import type { Surroundings } from '../surroundings.ts';
import { hasColours, oneLine, Palette, printable } from '../terminal.ts';
import { list } from '../values.ts';

/** A conversation with what was said in it, by turns. */
interface Talk {
  conversation: Conversation;
  turns: ReadonlyMap<number, readonly Message[]>;
}

export function addCompare(program: Command, surroundings: Surroundings): void {
  program
    .command('compare')
    .description('show conversations beside each other, turn by turn')
    .argument('<id>', 'the first')
    .argument('<more...>', 'the others', list)
    .option('--json', 'the conversations as JSON lines')
    .action(async (id: string, more: string[], _options, command: Command) => {
      const { json, ...options } = command.optsWithGlobals<ServerOptions & { json?: boolean }>();
      await connected(surroundings, options, 'refuse', async ({ client }) => {
        const talks = await Promise.all([id, ...more].map((each) => read(client, each)));
        if (json) for (const { conversation } of talks) await writeJson(conversation);
        else await show(talks, new Palette(hasColours(process.stdout, surroundings.environment)));
      });
    });
}

async function read(client: Client, id: string): Promise<Talk> {
  const conversation = await client.getConversation(id);
  const turns = new Map<number, Message[]>();
  for await (const message of allItems((page) => client.messages(id, page))) {
    turns.set(message.turn, [...(turns.get(message.turn) ?? []), message]);
  }
  return { conversation, turns };
}

async function show(talks: readonly Talk[], palette: Palette): Promise<void> {
  const rows = talks.map(({ conversation }, index) => {
    const { id, status, turns, usage, termination, topic } = conversation;
    const how = termination?.reason ?? status;
    return [
      `${index + 1}`,
      id,
      how,
      `${turns} turns`,
      `${usage.totalTokens} tokens`,
      dollars(usage.costUsd),
      oneLine(topic),
    ];
  });
  await write(table(rows));
  const last = Math.max(...talks.flatMap(({ turns }) => [...turns.keys()]));
  for (let turn = 0; turn <= last; turn++) {
    await write(`\nTurn ${turn}\n`);
    for (const [index, { turns }] of talks.entries()) {
      for (const { sender, content, retracted } of turns.get(turn) ?? []) {
        const name = palette.agent(oneLine(sender), `${oneLine(sender)}:`);
        await write(`  ${index + 1}  ${name} ${retracted ? '[retracted]' : printable(content)}\n`);
      }
    }
  }
}
