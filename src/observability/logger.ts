import { type Logger as PinoLogger, pino } from 'pino';

/** Writes one JSON object a line: `timestamp, level, logger, event`, then what is particular to the event. */
export type Logger = PinoLogger;

/** Where lines go. */
export interface LineSink {
  write(line: string): void;
}

export interface LoggerHooks {
  onLine?: ((level: string) => void) | undefined;
  around?: (() => object) | undefined;
}

/**
 * A logger each of whose lines passes the masker as a whole, so that no path a secret may take (an SDK's
 * error, a header, a URL) leads around it.
 *
 * @param hooks `onLine` is told of each line's level; `around` gives fields of every line, from what it is
 * written within
 */
export function createLogger(
  level: string,
  mask: (text: string) => string,
  sink: LineSink,
  { onLine = () => {}, around }: LoggerHooks = {},
): Logger {
  return pino(
    {
      level,
      base: null,
      messageKey: 'event',
      errorKey: 'error',
      timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
      ...(around ? { mixin: around } : {}),
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        logMethod(line, write, number) {
          onLine(pino.levels.labels[number] ?? 'info');
          write.apply(this, line);
        },
      },
    },
    { write: (line: string) => sink.write(mask(line)) },
  );
}

/**
 * Standard output, written in blocks: at most every 100 ms, at once when 8 KiB have gathered, and when
 * `flush` is called at the end. Lines are JSON, in a terminal text for people. A flush is fulfilled when all lines
 * are written in their order, or nobody can be told any more; where somebody takes none, it is never.
 */
export async function standardOutput(
  isTerminal: boolean = process.stdout.isTTY,
): Promise<LineSink & { flush: () => Promise<void> }> {
  const destination = pino.destination({ dest: 1, sync: false, minLength: 8192, periodicFlush: 100 });
  const shown = isTerminal ? await prettifier() : (line: string) => line;
  return {
    write: (line) => void destination.write(shown(line)),
    async flush() {
      const block = (): Promise<void> =>
        new Promise((resolve) => {
          destination.once('drain', resolve).once('error', () => resolve());
          destination.flush();
        });
      // Behind the one that is being written, which `flushSync` would overtake; where the reader has gone, that would
      // try for ever.
      await block();
      await block();
    },
  };
}

/** A function that makes text for people of a line. Loaded only where there are any. */
export async function prettifier(): Promise<(line: string) => string> {
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({
    colorize: true,
    messageKey: 'event',
    timestampKey: 'timestamp',
    errorLikeObjectKeys: ['error'],
    translateTime: 'SYS:HH:MM:ss.l',
    messageFormat: '{logger}: {event}',
    ignore: 'logger',
    singleLine: true,
  });
}
