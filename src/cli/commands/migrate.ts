import type { Command } from 'commander';
import type { MigrationReport, Progress } from '../../migration/migration.ts';
import type { Place } from '../../migration/places.ts';
import { CommandError, EXIT } from '../exit.ts';
import { say, write } from '../output.ts';
import type { Surroundings } from '../surroundings.ts';
import { oneLine } from '../terminal.ts';

interface Wish {
  from: Place;
  to: Place;
}

/** Conversations for each line of progress. */
const A_LINE = 100;

export function addMigrate(program: Command, { environment }: Surroundings): void {
  program
    .command('migrate')
    .description(
      'copy every conversation from one storage to the other and compare them; no server may run on either, and ' +
        'broken off it goes on where it was when it is run again',
    )
    .requiredOption(
      '--from <place>',
      'sqlite:PATH, a DATA_DIR, or redis:URL, a REDIS_URL; redis: takes it from the environment',
    )
    .requiredOption('--to <place>', 'the same')
    .action(async (options: { from: string; to: string }) => {
      // What opens databases is of no use to the other commands.
      const { parsePlace } = await import('../../migration/places.ts');
      const place = (name: 'from' | 'to'): Place => {
        try {
          return parsePlace(options[name], environment);
        } catch (error) {
          throw new CommandError(EXIT.usage, `--${name}: ${(error as Error).message}`, { cause: error });
        }
      };
      await carryOver({ from: place('from'), to: place('to') });
    });
}

async function carryOver(wish: Wish): Promise<void> {
  const interruption = new AbortController();
  // A second one ends the process at once.
  process.once('SIGINT', () => interruption.abort());
  try {
    const report = await carry(wish, interruption.signal);
    await write(`${summary(report, wish)}\n`);
  } catch (error) {
    if (interruption.signal.aborted) {
      throw new CommandError(EXIT.interrupted, 'Interrupted. Run it again to go on.', { cause: error });
    }
    const message = error instanceof Error ? error.message : String(error);
    throw new CommandError(EXIT.failed, oneLine(`Not migrated: ${message}`), { cause: error });
  }
}

async function carry({ from, to }: Wish, signal: AbortSignal): Promise<MigrationReport> {
  const { migrate } = await import('../../migration/migration.ts');
  const source = from.open('source');
  try {
    const target = to.open('target');
    try {
      return await migrate(source, target, { signal, onProgress: sayProgress });
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

function sayProgress({ step, conversations, of }: Progress): void {
  if (conversations % A_LINE === 0 || conversations === of) say(`${conversations} of ${of} ${step}`);
}

function summary(report: MigrationReport, { from, to }: Wish): string {
  const { conversations, events, skipped, others, keysLeftBehind } = report;
  const lines = [
    `${conversations} conversations with ${events} events are the same in ${from.name} and ${to.name}; ` +
      `${skipped} of them were there already.`,
  ];
  if (others > 0) lines.push(`The target has ${others} others of its own.`);
  if (keysLeftBehind > 0) {
    lines.push(
      `${keysLeftBehind} idempotency keys could not be taken along: a repeated POST with one of them makes ` +
        'a new conversation.',
    );
  }
  return lines.join('\n');
}
