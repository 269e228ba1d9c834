/** The server's process: the runtime it needs, signals, exit codes. */

import { enableCompileCache } from 'node:module';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import type { Config } from './config/config.ts';
import type { Logger } from './observability/logger.ts';
import type { Tracing } from './observability/tracing.ts';

const MINIMUM_NODE = 26;
/** How long a shutdown may take before the process ends all the same, in milliseconds. */
const SHUTDOWN_MS = 4000;
/** How long whoever reads the log may take for its last lines, in milliseconds. */
const LAST_LINES_MS = 500;

if (Number.parseInt(process.versions.node, 10) < MINIMUM_NODE) {
  console.error(
    `This needs Node ${MINIMUM_NODE} and runs on ${process.versions.node}: start it with "npm start", which brings its own.`,
  );
  process.exit(1);
}

/** What a signal asks for; until the server is there, nothing has to be closed. */
let shutDown = (_signal: NodeJS.Signals): void => process.exit(0);
process.on('SIGTERM', (signal) => shutDown(signal));
process.on('SIGINT', (signal) => shutDown(signal));
let rereadKeys = (): void => {};
process.on('SIGHUP', () => rereadKeys());

// A third of a start is compiling, which the last one did already. It is kept beside the packages, and not in the
// system's folder for temporary files, where others could put something in its place. Where that can't be written, as
// in the image, it is done again.
enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url)));

// Only now, for on an older runtime the storage's native part would crash as it is loaded.
const { keepHeapSmall } = await import('./memory.ts');
const { readConfig, secretsOf } = await import('./config/config.ts');
const { ConfigurationError } = await import('./config/configuration-error.ts');
const { openTelemetryVariables } = await import('./config/dot-env.ts');
const { createMasker } = await import('./security/secrets.ts');
/** Whatever the process says as it crashes, it says without secrets; those of the configuration are known once it is read. */
let mask = createMasker([]);
const crash = (error: unknown): never => {
  // On one line, for a text that is cut into its lines, as a private key would be, is no longer known for what it is.
  console.error(mask(inspect(error, { breakLength: Infinity })));
  process.exit(1);
};
// Of promises that nobody waits for, too.
process.on('uncaughtException', crash);
const { standardOutput } = await import('./observability/standard-output.ts');
const { StorageError } = await import('./storage/storage-error.ts');

try {
  await serve();
} catch (error) {
  if (error instanceof ConfigurationError) for (const fault of error.faults) console.error(fault);
  else if (error instanceof StorageError) console.error(mask(error.message));
  else if (isListenError(error)) console.error(listenFault(error));
  else crash(error);
  process.exit(1);
}

async function serve(): Promise<void> {
  keepHeapSmall();
  const config = readConfig(process.env);
  mask = createMasker(secretsOf(config));
  const output = await standardOutput();
  let tracingLog: Logger | undefined;
  const tracing = await startTracingOf(config, (problem) => tracingLog?.warn({ problem }, 'tracing.failed'));
  // What is traced must be loaded after the tracing.
  const { compose } = await import('./compose.ts');
  const platform = await compose(config, output, { tracing, logLosses: output.losses });
  const log = platform.logger.child({ logger: 'main' });
  tracingLog = platform.logger.child({ logger: 'tracing' });
  rereadKeys = () => platform.rereadKeys();

  let closing = false;
  shutDown = (signal) => {
    if (closing) return;
    closing = true;
    log.info({ signal }, 'server.stopping');
    let isFinished = false;
    const finish = (outcome: string): void => {
      if (isFinished) return;
      isFinished = true;
      log.info({ outcome }, 'server.stopped');
      setTimeout(() => process.exit(0), LAST_LINES_MS);
      void output.flush().then(() => process.exit(0));
    };
    setTimeout(
      () => finish('not everything had ended in time; the log has all that was acknowledged'),
      SHUTDOWN_MS,
    );
    const close = async (): Promise<void> => {
      await platform.close();
      await tracing?.stop();
    };
    close().then(
      () => finish('all quiet'),
      (error: unknown) => {
        log.error({ error }, 'server.stop_failed');
        return finish('with an error');
      },
    );
  };

  try {
    await platform.app.listen({
      host: config.HOST,
      port: config.PORT,
      // Fastify says so by itself, once for each address.
      listenTextResolver: () => 'http.listening',
    });
  } catch (error) {
    if (closing) return;
    await platform.close();
    throw error;
  }
  if (closing) return;
  const resumed = await platform.resume();
  const bound = platform.app.server.address();
  const address =
    typeof bound === 'string' || bound === null ? {} : { address: bound.address, port: bound.port };
  log.info({ ...address, node: process.version, resumed }, 'server.listening');
}

/** Undefined where nothing is traced: nothing of OpenTelemetry is loaded then. */
async function startTracingOf(
  config: Config,
  onProblem: (problem: string) => void,
): Promise<Tracing | undefined> {
  if (!config.OTEL_EXPORTER_OTLP_ENDPOINT || config.OTEL_SDK_DISABLED) return undefined;
  // The SDK reads them there.
  Object.assign(process.env, openTelemetryVariables(process.env));
  const { startTracing } = await import('./observability/tracing.ts');
  return startTracing({
    conventions: config.OTEL_SEMCONV_STABILITY_OPT_IN,
    captureContent: config.OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT,
    mask,
    onProblem,
  });
}

function isListenError(error: unknown): error is NodeJS.ErrnoException & { address?: string; port?: number } {
  return error instanceof Error && (error as NodeJS.ErrnoException).syscall === 'listen';
}

function listenFault({
  code,
  address,
  port,
}: NodeJS.ErrnoException & { address?: string; port?: number }): string {
  const where = `${address}:${port}`;
  return code === 'EADDRINUSE'
    ? `PORT: ${where} is in use by another process; end that one, or set another PORT`
    : `HOST, PORT: can't listen on ${where}: ${code}`;
}
