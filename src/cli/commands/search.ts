import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import type { SearchHit, SearchQuery } from '../../client/types.ts';
import { connected, type ServerOptions } from '../connection.ts';
import { say, write, writeJson } from '../output.ts';
import { allItems } from '../pages.ts';
import type { Surroundings } from '../surroundings.ts';
import { emphasise, hasColours, oneLine, printable } from '../terminal.ts';
import { type Labels, labels, wholeNumber } from '../values.ts';

interface SearchOptions extends ServerOptions {
  sender?: string;
  createdAfter?: string;
  createdBefore?: string;
  label?: Labels;
  limit?: number;
  json?: boolean;
}

/** How many messages are shown where nothing is said. */
const SHOWN = 20;

export function addSearch(program: Command, surroundings: Surroundings): void {
  program
    .command('search')
    .description('find messages of all conversations by their words, the best match first')
    .argument('<text>', 'words that must all occur; "a phrase" and beginn* are taken, too')
    .option('--sender <name>', 'said by this agent or person')
    .option('--created-after <time>', 'such as 2026-01-31T12:00:00Z')
    .option('--created-before <time>')
    .option('--label <KEY=VALUE>', 'of conversations whose metadata has this; once for each', labels)
    .option('--limit <number>', 'how many at most', wholeNumber, SHOWN)
    .option('--json', 'what was found as JSON lines')
    .action(async (q: string, _options, command: Command) => {
      const options = command.optsWithGlobals<SearchOptions>();
      const { sender, createdAfter, createdBefore, label } = options;
      const wanted: SearchQuery = {
        q,
        ...(sender === undefined ? {} : { sender }),
        ...(createdAfter === undefined ? {} : { createdAfter }),
        ...(createdBefore === undefined ? {} : { createdBefore }),
        ...label,
      };
      await connected(surroundings, options, 'reader', ({ client }) =>
        search(client, wanted, options, hasColours(process.stdout, surroundings.environment)),
      );
    });
}

async function search(
  client: Client,
  wanted: SearchQuery,
  { limit = SHOWN, json = false }: SearchOptions,
  colours: boolean,
): Promise<void> {
  let found = 0;
  let isIncomplete = false;
  const read = async (page: { limit: number; cursor?: string }) => {
    const result = await client.search({ ...wanted, ...page });
    isIncomplete ||= result.incomplete === true;
    return result;
  };
  for await (const hit of allItems(read, limit)) {
    found += 1;
    await (json ? writeJson(hit) : write(shown(hit, colours)));
  }
  if (isIncomplete) say('The index is being made anew: there may be more.');
  else if (found === 0 && !json) say('Nothing has all of that.');
}

function shown({ conversationId, seq, sender, snippet, highlights }: SearchHit, colours: boolean): string {
  let text = '';
  let at = 0;
  for (const [from, to] of highlights) {
    const word = oneLine(snippet.slice(from, to));
    text += plain(snippet.slice(at, from)) + (colours ? emphasise(word) : word);
    at = to;
  }
  return `${conversationId} ${seq}  ${oneLine(sender)}: ${text}${plain(snippet.slice(at))}\n`;
}

/** On one line, with the space around it. */
function plain(text: string): string {
  return printable(text).replaceAll(/\s+/g, ' ');
}
