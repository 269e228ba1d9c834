import { type Client, createClient } from '../client/client.ts';
import { CommandError, EXIT, explain } from './exit.ts';
import type { Surroundings } from './surroundings.ts';

/** Where a command finds conversations. */
export interface Connection {
  client: Client;
  /** As people know it. */
  where: string;
  /** Whether it is a server of its own, which goes on when this process ends. */
  isServer: boolean;
}

export interface ServerOptions {
  server?: string;
  key?: string;
}

/**
 * Has a command's work done at the server that was named, or where none was over DATA_DIR in this process.
 *
 * @param without what to do where no server is named; `refuse`: exit code 3
 * @throws CommandError
 */
export async function connected<T>(
  surroundings: Surroundings,
  { server, key }: ServerOptions,
  without: 'engine' | 'reader' | 'refuse',
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const { environment } = surroundings;
  const baseUrl = server ?? (environment['AIC_SERVER'] || undefined);
  if (baseUrl !== undefined) {
    if (!URL.canParse(baseUrl) || !/^https?:$/.test(new URL(baseUrl).protocol)) {
      const takes = 'an address such as http://127.0.0.1:8080';
      throw new CommandError(EXIT.usage, `--server and AIC_SERVER take ${takes}, not ${baseUrl}`);
    }
    const client = clientOf(baseUrl, key ?? (environment['AIC_API_KEY'] || undefined));
    try {
      return await work({ client, where: baseUrl, isServer: true });
    } catch (error) {
      throw explain(error, baseUrl);
    }
  }
  if (without === 'refuse') {
    const advice =
      'Start one with `aic serve`, and name it with --server http://127.0.0.1:8080 or AIC_SERVER.';
    throw new CommandError(EXIT.unreachable, `This command needs a server. ${advice}`);
  }
  let where = 'DATA_DIR';
  try {
    const { close, dataFolder, ...local } = await surroundings.openLocal(without);
    where = dataFolder;
    try {
      return await work({ client: createClient(local), where, isServer: false });
    } finally {
      await close();
    }
  } catch (error) {
    throw explain(error, where);
  }
}

function clientOf(baseUrl: string, apiKey: string | undefined): Client {
  try {
    return createClient({ baseUrl, apiKey });
  } catch (error) {
    throw new CommandError(EXIT.usage, `AIC_API_KEY: ${(error as Error).message}`);
  }
}
