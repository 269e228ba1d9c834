import type { Command } from 'commander';
import type { Surroundings } from '../surroundings.ts';
import { wholeNumber } from '../values.ts';

export function addServe(program: Command, { environment, serve }: Surroundings): void {
  program
    .command('serve')
    .description('start the server; the environment and a .env file configure it')
    .option('--port <number>', 'PORT', wholeNumber)
    .option('--host <address>', 'HOST')
    .option('--data-dir <folder>', 'DATA_DIR')
    .action(async (options: { port?: number; host?: string; dataDir?: string }) => {
      const { port, host, dataDir } = options;
      if (port !== undefined) environment['PORT'] = String(port);
      if (host !== undefined) environment['HOST'] = host;
      if (dataDir !== undefined) environment['DATA_DIR'] = dataDir;
      await serve();
    });
}
