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
