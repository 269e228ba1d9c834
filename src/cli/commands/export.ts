import { createWriteStream } from 'node:fs';
import { Writable } from 'node:stream';
import { Argument, type Command, Option } from 'commander';
import { connected, type ServerOptions } from '../connection.ts';
import { CommandError, EXIT } from '../exit.ts';
import { say, write } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';

const FORMATS = ['json', 'jsonl', 'markdown', 'html', 'csv'] as const;

interface ExportOptions extends ServerOptions {
  format?: (typeof FORMATS)[number];
  output?: string;
}

export function addExport(program: Command, surroundings: Surroundings): void {
  program
    .command('export')
    .description('write a whole conversation to standard output or a file')
    .addArgument(new Argument('<id>'))
    .addOption(new Option('--format <format>', 'json where it is not said').choices(FORMATS))
    .option('-o, --output <file>', 'where to; standard output where it is not said')
    .action(async (id: string, _options, command: Command) => {
      const { format, output, ...options } = command.optsWithGlobals<ExportOptions>();
      await connected(surroundings, options, 'reader', async ({ client }) => {
        const { body } = await client.export(id, format);
        if (output === undefined) return toStandardOutput(body);
        await toFile(body, output);
        say(`Written to ${output}.`);
      });
    });
}

/** As it comes, since what is downloaded was made for files and not for a terminal's reader. */
async function toStandardOutput(body: ReadableStream<Uint8Array>): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of body) await write(decoder.decode(chunk, { stream: true }));
  await write(decoder.decode());
}

async function toFile(body: ReadableStream<Uint8Array>, path: string): Promise<void> {
  try {
    await body.pipeTo(Writable.toWeb(createWriteStream(path)));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new CommandError(EXIT.usage, `${path} can't be written: ${code}`, { cause: error });
  }
}
