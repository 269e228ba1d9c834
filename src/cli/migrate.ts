import { parseArgs } from 'node:util';
import { type MigrationReport, migrate, type Progress } from '../migration/migration.ts';
import { type Place, parsePlace } from '../migration/places.ts';
import { oneLine } from './terminal.ts';

const USAGE = `Usage: npm run migrate -- --from PLACE --to PLACE

Copies every conversation from one storage to the other and compares them. No server may run on either.
Broken off, it goes on where it was when it is run again.

  PLACE is sqlite:PATH, the DATA_DIR of a server, or redis:URL, a REDIS_URL;
  redis: alone takes the REDIS_URL of the environment
  --help      this text
`;

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;
/** Conversations for each line of progress. */
const A_LINE = 100;

interface Wish {
  from: Place;
  to: Place;
}

/** @throws TypeError that says what is wrong with the arguments. */
function readArguments(): Wish | 'help' {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return 'help';
  const place = (name: 'from' | 'to'): Place => {
    const given = values[name];
    if (given === undefined) throw new TypeError(`--${name} is missing`);
    try {
      return parsePlace(given, process.env);
    } catch (error) {
      throw new TypeError(`--${name}: ${(error as Error).message}`, { cause: error });
    }
  };
  return { from: place('from'), to: place('to') };
}

async function main(): Promise<number> {
  let wish: Wish | 'help';
  try {
    wish = readArguments();
  } catch (error) {
    say((error as Error).message);
    process.stderr.write(`\n${USAGE}`);
    return EXIT.usage;
  }
  if (wish === 'help') {
    process.stdout.write(USAGE);
    return EXIT.ok;
  }
  const interruption = new AbortController();
  // A second one ends the process at once.
  process.once('SIGINT', () => interruption.abort());
  try {
    const report = await carry(wish, interruption.signal);
    process.stdout.write(`${summary(report, wish)}\n`);
    return EXIT.ok;
  } catch (error) {
    if (interruption.signal.aborted) {
      say('Interrupted. Run it again to go on.');
      return EXIT.interrupted;
    }
    say(`Not migrated: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT.failed;
  }
}

async function carry({ from, to }: Wish, signal: AbortSignal): Promise<MigrationReport> {
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

/** One line on standard error. */
function say(line: string): void {
  process.stderr.write(`${oneLine(line)}\n`);
}

process.exitCode = await main();
