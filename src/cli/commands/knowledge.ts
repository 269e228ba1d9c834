import { basename } from 'node:path';
import type { Command } from 'commander';
import type { Client } from '../../client/client.ts';
import { connected, type ServerOptions } from '../connection.ts';
import { count, table } from '../figures.ts';
import { readBytes } from '../files.ts';
import { say, write, writeJson } from '../output.ts';
import { allItems } from '../pages.ts';
import type { Surroundings } from '../surroundings.ts';
import { oneLine, printable } from '../terminal.ts';
import { wholeNumber } from '../values.ts';

interface KnowledgeOptions extends ServerOptions {
  json?: boolean;
  id?: string;
  title?: string;
  limit?: number;
}

type Work = (client: Client, options: KnowledgeOptions) => Promise<void>;

/** Documents that agents look things up in; docs/protocol.md, section 11. */
export function addKnowledge(program: Command, surroundings: Surroundings): void {
  const knowledge = program
    .command('knowledge')
    .description(
      'list collections of documents that agents look things up in, and fill, search and delete them',
    );
  const at = (command: Command, work: Work): Promise<void> => {
    const options = command.optsWithGlobals<KnowledgeOptions>();
    return connected(surroundings, options, 'refuse', ({ client }) => work(client, options));
  };

  knowledge
    .command('list', { isDefault: true })
    .description('the collections, or the documents of one')
    .argument('[collection]')
    .option('--json', 'as JSON lines')
    .action((collection: string | undefined, _options, command: Command) =>
      at(command, (client, { json }) =>
        collection === undefined ? listCollections(client, json) : listDocuments(client, collection, json),
      ),
    );

  knowledge
    .command('add')
    .description('add files (.txt .md .html .pdf .docx .csv) to a collection, which the first one makes')
    .argument('<collection>')
    .argument('<files...>')
    .option('--id <id>', 'the document that it is; one of the same id is replaced')
    .option('--title <text>', "the file's name where it is not said")
    .option('--json', 'the documents as JSON lines')
    .action((collection: string, files: string[], _options, command: Command) =>
      at(command, async (client, { json, id, title }) => {
        for (const file of files) {
          const document = await client.addFile(collection, await readBytes(file), basename(file), {
            ...(id === undefined ? {} : { id }),
            ...(title === undefined ? {} : { title }),
          });
          await (json ? writeJson(document) : write(`${document.id}  ${oneLine(document.title)}\n`));
        }
      }),
    );

  knowledge
    .command('show')
    .description('the text of a document')
    .argument('<collection>')
    .argument('<id>')
    .option('--json', 'the document as JSON')
    .action((collection: string, id: string, _options, command: Command) =>
      at(command, async (client, { json }) => {
        const document = await client.getDocument(collection, id);
        await (json ? writeJson(document) : write(`${printable(document.text)}\n`));
      }),
    );

  knowledge
    .command('search')
    .description('the passages of a collection that answer best')
    .argument('<collection>')
    .argument('<text>')
    .option('--limit <number>', 'how many at most', wholeNumber)
    .option('--json', 'as JSON lines')
    .action((collection: string, q: string, _options, command: Command) =>
      at(command, async (client, { json, limit }) => {
        const found = await client.searchKnowledge(collection, {
          q,
          ...(limit === undefined ? {} : { limit }),
        });
        if (found.degraded) say('The vendor of embeddings is away: words alone were compared.');
        for (const passage of found.items) {
          const { documentId, title, passage: number, score, text } = passage;
          const where = `${documentId} ${number}  ${score.toFixed(2)}  ${oneLine(title)}`;
          await (json ? writeJson(passage) : write(`${where}: ${oneLine(text)}\n`));
        }
      }),
    );

  knowledge
    .command('delete')
    .alias('remove')
    .description('delete a document, or a whole collection')
    .argument('<collection>')
    .argument('[id]', 'the document; the collection where it is not said')
    .action((collection: string, id: string | undefined, _options, command: Command) =>
      at(command, async (client) => {
        if (id === undefined) await client.deleteCollection(collection);
        else await client.deleteDocument(collection, id);
        say(`${id ?? collection} is deleted.`);
      }),
    );
}

async function listCollections(client: Client, json = false): Promise<void> {
  const rows: string[][] = [];
  for await (const item of allItems((page) => client.collections(page))) {
    if (json) await writeJson(item);
    else rows.push([item.collection, count(item.documents, 'document'), count(item.passages, 'passage')]);
  }
  await write(table(rows));
}

async function listDocuments(client: Client, collection: string, json = false): Promise<void> {
  const rows: string[][] = [];
  for await (const document of allItems((page) => client.documents(collection, page))) {
    if (json) await writeJson(document);
    else rows.push([document.id, count(document.passages, 'passage'), oneLine(document.title)]);
  }
  await write(table(rows));
}
