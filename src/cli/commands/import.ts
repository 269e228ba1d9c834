import type { Command } from 'commander';
import type { ExportedConversation } from '../../client/types.ts';
import { connected, type ServerOptions } from '../connection.ts';
import { CommandError, EXIT } from '../exit.ts';
import { readTextFile } from '../files.ts';
import { write, writeJson } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';

interface ImportOptions extends ServerOptions {
  json?: boolean;
}

/** Takes exported conversations in again; docs/protocol.md, section 2.10. */
export function addImport(program: Command, surroundings: Surroundings): void {
  program
    .command('import')
    .description(
      'take in conversations that were exported as JSON or JSON lines, as they were and ended, and print their new ids; ' +
        'at a server, or over DATA_DIR where none holds it',
    )
    .argument('<files...>', 'one conversation each; - is standard input')
    .option('--json', 'the conversations as JSON lines')
    .action(async (files: string[], _options, command: Command) => {
      const { json, ...options } = command.optsWithGlobals<ImportOptions>();
      // The schemas beside it would slow down the start of every command.
      const { MOST_IMPORTED_BYTES } = await import('../../protocol/import.ts');
      // All of them, so that nothing is taken in where one is wrong.
      const exported: ExportedConversation[] = [];
      for (const file of files)
        exported.push(readExport(file, await readTextFile(file, MOST_IMPORTED_BYTES)));
      await connected(surroundings, options, 'engine', async ({ client }) => {
        for (const each of exported) {
          const conversation = await client.import(each);
          await (json ? writeJson(conversation) : write(`${conversation.id}\n`));
        }
      });
    });
}

/** @throws CommandError that names the line */
function readExport(file: string, text: string): ExportedConversation {
  const wrong = (why: string): CommandError =>
    new CommandError(EXIT.usage, `${file} is no export of a conversation: ${why}`);
  const parse = (json: string, where: string): unknown => {
    try {
      return JSON.parse(json);
    } catch (error) {
      throw wrong(`${where}${(error as Error).message.slice(0, 200)}`);
    }
  };
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const [first = ''] = lines;
  // The first line of JSON is not whole.
  if (lines.length > 0 && isEvent(first)) {
    return { events: lines.map((line, index) => parse(line, `line ${index + 1}: `) as { seq: number }) };
  }
  const whole = parse(text, '') as Partial<ExportedConversation> | null;
  if (!Array.isArray(whole?.events)) throw wrong('it has no events; --format json and jsonl are taken');
  const { conversation, events } = whole as ExportedConversation;
  return { ...(conversation ? { conversation } : {}), events };
}

function isEvent(line: string): boolean {
  try {
    return 'seq' in (JSON.parse(line) as object);
  } catch {
    return false;
  }
}
